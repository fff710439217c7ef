//! Memory that is freed, kept for what comes next.
//!
//! Each step of training makes tensors like those of the step before. glibc gives large ones back to the system at once,
//! which clears every page anew for the next: a quarter of the time of a step of the LSTM.

/// Has this process keep the memory that it frees. Programs that train call it as they start; a library's users decide
/// themselves. Where the allocator is not glibc's, nothing changes.
pub fn keep_freed() {
    #[cfg(target_env = "gnu")]
    {
        use libc::{M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, c_int, mallopt};
        const LARGEST: c_int = 1 << 30; // bytes
        // SAFETY: they set two numbers of the allocator.
        #[allow(unsafe_code)]
        unsafe {
            mallopt(M_MMAP_THRESHOLD, LARGEST);
            mallopt(M_TRIM_THRESHOLD, c_int::MAX);
        }
    }
}
