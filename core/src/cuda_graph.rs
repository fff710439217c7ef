//! CUDA graphs: work of a GPU that is recorded once and then replayed by a single call.
//!
//! A step of a network with small batches is hundreds of kernels of a few microseconds each, which a CPU can't start as
//! fast as a GPU ends them. tch binds no graphs, and the CUDA half of libtorch is opened at run time, so the functions
//! of libtorch that make them are looked up there by their C++ names, which are those of the release that this crate is
//! made for.

use std::cell::RefCell;
use std::rc::Rc;

use libloading::os::unix::Library;
use tch::{Cuda, Tensor};

use crate::Error;

/// Words of room for a `at::cuda::CUDAGraph`, which takes some 25.
const WORDS: usize = 128;
/// `cudaStreamCaptureModeThreadLocal`: what other threads do meanwhile doesn't matter.
const THREAD_LOCAL: i32 = 1;

/// `c10::cuda::CUDAStream`
#[repr(C)]
#[derive(Clone, Copy)]
struct Stream {
    device: [i8; 2],
    id: i64,
}

/// Where recorded work keeps its tensors, `at::MempoolId_t`. GraphedPasses that share it must be replayed in the order in which
/// they were recorded.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Pool(u64, u64);

/// The functions of libtorch, of `at::cuda::CUDAGraph` and of `c10::cuda`.
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

/// Records work on one device, on a stream of its own.
#[derive(Clone)]
pub(crate) struct Capturer {
    functions: Rc<Functions>,
    device: i8,
    stream: Stream,
}

/// Work that was recorded. What it reads and writes are the tensors that it was recorded with.
pub(crate) struct CudaGraph {
    functions: Rc<Functions>,
    /// the C++ object, never moved
    object: RefCell<Box<[u64; WORDS]>>,
}

impl Functions {
    /// Looks them up among what is loaded.
    ///
    /// # Errors
    /// [`Error::Device`] names the first that isn't there.
    #[allow(unsafe_code)]
    fn load() -> Result<Self, Error> {
        let library = Library::this();
        macro_rules! function {
            ($name:literal) => {
                // SAFETY: the name holds the types of the arguments, and those of what is returned are as libtorch
                // 2.11's headers have them; streams and pools are trivial for the purposes of calls there.
                *unsafe { library.get($name.as_bytes()) }.map_err(|_| {
                    Error::Device(format!("libtorch has no {}, so CUDA graphs can't be recorded", $name))
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
    /// A recorder for this CUDA device.
    ///
    /// # Errors
    /// [`Error::Device`] if libtorch hasn't what it takes.
    #[allow(unsafe_code)]
    pub fn new(device: usize) -> Result<Self, Error> {
        let (functions, device) = (Functions::load()?, device as i8);
        // SAFETY: the device exists, since there are tensors on it
        let stream = unsafe { (functions.stream_from_pool)(false, device) };
        Ok(Capturer { functions: Rc::new(functions), device, stream })
    }

    /// Has `work` done on the recorder's stream, after everything that was begun before and before everything after.
    #[allow(unsafe_code)]
    pub fn on_side_stream<T>(&self, work: impl FnOnce() -> T) -> T {
        Cuda::synchronize(self.device.into());
        // SAFETY: the stream is one of libtorch's, which live as long as the process
        let before = unsafe { (self.functions.current_stream)(self.device) };
        unsafe { (self.functions.set_current_stream)(self.stream) };
        let done = work();
        unsafe { (self.functions.set_current_stream)(before) };
        Cuda::synchronize(self.device.into());
        done
    }

    /// Records `work` instead of doing it; to be called [`aside`](Self::on_side_stream), after the same work was done there. Its tensors
    /// are kept in this pool, or in a new one.
    #[allow(unsafe_code)]
    pub fn capture<T>(&self, pool: Option<Pool>, work: impl FnOnce() -> T) -> (CudaGraph, T) {
        let mut object = Box::new([0; WORDS]);
        // SAFETY: the room is large enough, aligned for pointers, and stays in its place; a stream other than the default
        // one is current
        unsafe {
            (self.functions.construct)(object.as_mut_ptr(), false);
            (self.functions.begin)(object.as_mut_ptr(), pool.unwrap_or_default(), THREAD_LOCAL);
        }
        let done = work();
        // SAFETY: recording has begun
        unsafe { (self.functions.end)(object.as_mut_ptr()) };
        (CudaGraph { functions: self.functions.clone(), object: RefCell::new(object) }, done)
    }
}

impl CudaGraph {
    /// Does the work again, on the current stream.
    #[allow(unsafe_code)]
    pub fn replay(&self) {
        // SAFETY: what was recorded is whole, and whoever keeps the graph keeps its tensors
        unsafe { (self.functions.replay)(self.object.borrow_mut().as_mut_ptr()) };
    }

    /// Where its tensors are kept.
    #[allow(unsafe_code)]
    pub fn pool(&self) -> Pool {
        // SAFETY: the object is whole
        unsafe { (self.functions.pool)(self.object.borrow_mut().as_mut_ptr()) }
    }
}

impl Drop for CudaGraph {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: the object is whole, and not used again
        unsafe { (self.functions.destroy)(self.object.get_mut().as_mut_ptr()) };
    }
}

/// A tensor of the same shape and kind, in contiguous memory of its own.
pub(crate) fn zeros_like_contiguous(tensor: &Tensor) -> Tensor {
    Tensor::zeros(tensor.size(), (tensor.kind(), tensor.device()))
}
