//! CUDA graphs: GPU work that is captured once and then replayed by a single call.
//!
//! With small batches, a step runs hundreds of kernels of a few microseconds each, which a CPU can't launch as fast as
//! a GPU runs them. tch has no bindings for graphs, and libtorch's CUDA half is loaded at run time. So libtorch's
//! functions are looked up by their mangled C++ names, which belong to the release that this crate requires.

use std::cell::RefCell;
use std::rc::Rc;

use libloading::os::unix::Library;
use tch::{Cuda, Tensor};

use crate::Error;

/// 8-byte words reserved for an `at::cuda::CUDAGraph`, which takes about 25.
const WORDS: usize = 128;
/// `cudaStreamCaptureModeThreadLocal`: other threads don't affect the capture.
const THREAD_LOCAL: i32 = 1;

/// Layout of `c10::cuda::CUDAStream`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Stream {
    device: [i8; 2],
    id: i64,
}

/// Memory pool of captured tensors, `at::MempoolId_t`. Graphs that share a pool must be replayed in the order of their
/// capture.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Pool(u64, u64);

/// Functions of `at::cuda::CUDAGraph` and `c10::cuda`.
struct Functions {
    construct: unsafe extern "C-unwind" fn(*mut u64, bool),
    destroy: unsafe extern "C-unwind" fn(*mut u64),
    begin: unsafe extern "C-unwind" fn(*mut u64, Pool, i32),
    end: unsafe extern "C-unwind" fn(*mut u64),
    replay: unsafe extern "C-unwind" fn(*mut u64),
    pool: unsafe extern "C-unwind" fn(*mut u64) -> Pool,
    stream_from_pool: unsafe extern "C-unwind" fn(bool, i8) -> Stream,
    current_stream: unsafe extern "C-unwind" fn(i8) -> Stream,
    set_current_stream: unsafe extern "C-unwind" fn(Stream),
}

/// Captures work of one device on a side stream.
#[derive(Clone)]
pub(crate) struct Capturer {
    functions: Rc<Functions>,
    device: i8,
    stream: Stream,
}

/// A captured graph. It reads and writes the tensors that were used during the capture.
pub(crate) struct CudaGraph {
    functions: Rc<Functions>,
    /// the C++ object, which must not be moved
    object: RefCell<Box<[u64; WORDS]>>,
}

impl Functions {
    /// Looks the functions up in the loaded libraries.
    ///
    /// # Errors
    /// [`Error::Device`] names the first missing function.
    #[allow(unsafe_code)]
    fn load() -> Result<Self, Error> {
        let library = Library::this();
        macro_rules! function {
            ($name:literal) => {
                // SAFETY: the mangled name contains the argument types, and the return types are those of libtorch
                // 2.11's headers; streams and pools are trivial for the purposes of calls there.
                *unsafe { library.get($name.as_bytes()) }.map_err(|_| {
                    Error::Device(format!("libtorch has no {}, so CUDA graphs can't be captured", $name))
                })?
            };
        }
        Ok(Functions {
            construct: function!("_ZN2at4cuda9CUDAGraphC1Eb"),
            destroy: function!("_ZN2at4cuda9CUDAGraphD1Ev"),
            begin: function!("_ZN2at4cuda9CUDAGraph13capture_beginESt4pairIyyE21cudaStreamCaptureMode"),
            end: function!("_ZN2at4cuda9CUDAGraph11capture_endEv"),
            replay: function!("_ZN2at4cuda9CUDAGraph6replayEv"),
            pool: function!("_ZN2at4cuda9CUDAGraph4poolEv"),
            stream_from_pool: function!("_ZN3c104cuda17getStreamFromPoolEba"),
            current_stream: function!("_ZN3c104cuda20getCurrentCUDAStreamEa"),
            set_current_stream: function!("_ZN3c104cuda20setCurrentCUDAStreamENS0_10CUDAStreamE"),
        })
    }
}

impl Capturer {
    /// Creates a capturer for CUDA device `device`.
    ///
    /// # Errors
    /// [`Error::Device`] if libtorch lacks a function.
    #[allow(unsafe_code)]
    pub fn new(device: usize) -> Result<Self, Error> {
        let (functions, device) = (Functions::load()?, device as i8);
        // SAFETY: the device exists, since there are tensors on it
        let stream = unsafe { (functions.stream_from_pool)(false, device) };
        Ok(Capturer { functions: Rc::new(functions), device, stream })
    }

    /// Runs `work` on the side stream, with the device synchronized before and after.
    #[allow(unsafe_code)]
    pub fn on_side_stream<T>(&self, work: impl FnOnce() -> T) -> T {
        Cuda::synchronize(self.device.into());
        // SAFETY: libtorch's streams live as long as the process
        let before = unsafe { (self.functions.current_stream)(self.device) };
        unsafe { (self.functions.set_current_stream)(self.stream) };
        let done = work();
        unsafe { (self.functions.set_current_stream)(before) };
        Cuda::synchronize(self.device.into());
        done
    }

    /// Captures `work` instead of running it, with its tensors in `pool` or in a new pool. Call it within
    /// [`on_side_stream`](Self::on_side_stream), after the same work ran there eagerly.
    #[allow(unsafe_code)]
    pub fn capture<T>(&self, pool: Option<Pool>, work: impl FnOnce() -> T) -> (CudaGraph, T) {
        let mut object = Box::new([0; WORDS]);
        // SAFETY: the memory is large enough, aligned for pointers and never moved; the current stream is not the
        // default one
        unsafe {
            (self.functions.construct)(object.as_mut_ptr(), false);
            (self.functions.begin)(object.as_mut_ptr(), pool.unwrap_or_default(), THREAD_LOCAL);
        }
        let done = work();
        // SAFETY: the capture has begun
        unsafe { (self.functions.end)(object.as_mut_ptr()) };
        (CudaGraph { functions: self.functions.clone(), object: RefCell::new(object) }, done)
    }
}

impl CudaGraph {
    /// Replays the work on the current stream.
    #[allow(unsafe_code)]
    pub fn replay(&self) {
        // SAFETY: the capture has ended, and the graph's owner keeps its tensors
        unsafe { (self.functions.replay)(self.object.borrow_mut().as_mut_ptr()) };
    }

    /// Returns the pool of the graph's tensors.
    #[allow(unsafe_code)]
    pub fn pool(&self) -> Pool {
        // SAFETY: the object is constructed
        unsafe { (self.functions.pool)(self.object.borrow_mut().as_mut_ptr()) }
    }
}

impl Drop for CudaGraph {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: the object is constructed and not used again
        unsafe { (self.functions.destroy)(self.object.get_mut().as_mut_ptr()) };
    }
}

/// Returns a contiguous zero tensor with the shape, dtype and device of `tensor`.
pub(crate) fn zeros_like_contiguous(tensor: &Tensor) -> Tensor {
    Tensor::zeros(tensor.size(), (tensor.kind(), tensor.device()))
}
