//! Peak memory of a piece of work, counted by the allocator: exact, on every system, and without the rest of the process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};

/// The system's allocator, counting the bytes that are allocated and the most there ever were.
///
/// Two additions for each allocation, of which training loops have none.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn grown(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(live, Relaxed);
}

fn shrunk(bytes: usize) {
    LIVE.fetch_sub(bytes, Relaxed);
}

// SAFETY: every call is passed on to the system's allocator as it is; counting touches no memory but the counters.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        let at = unsafe { System.alloc(layout) };
        if !at.is_null() {
            grown(layout.size());
        }
        at
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        let at = unsafe { System.alloc_zeroed(layout) };
        if !at.is_null() {
            grown(layout.size());
        }
        at
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        shrunk(layout.size());
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's contract.
        let moved = unsafe { System.realloc(at, layout, size) };
        if !moved.is_null() {
            // Old and new may both be there for a moment.
            grown(size);
            shrunk(layout.size());
        }
        moved
    }
}

/// Watches the memory of what runs from its making on. One at a time: there is one count for the whole process.
pub struct Watch {
    start: usize,
}

impl Watch {
    /// Starts watching. The buffers that [stay](make_lasting_buffers) are there by then.
    pub fn start() -> Self {
        make_lasting_buffers();
        let start = LIVE.load(Relaxed);
        PEAK.store(start, Relaxed);
        Self { start }
    }

    /// The most bytes since the start that were allocated at once, beyond those that were there before.
    pub fn peak(&self) -> usize {
        PEAK.load(Relaxed).saturating_sub(self.start)
    }
}

/// A thread's first product of faer makes a buffer that is kept for all later ones, twice as large as the last cache. No run is to be
/// charged with it.
fn make_lasting_buffers() {
    let multiply = || {
        let (factor, mut square) = (Mat::<f64>::identity(256, 256), Mat::zeros(256, 256));
        matmul(square.as_mut(), Accum::Replace, factor.as_ref(), factor.as_ref(), 1.0, Par::Seq);
    };
    multiply();
    rayon::broadcast(|_| multiply());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether this is a process for this test alone; if not, the test is run in one. All threads of a process share the count.
    fn is_alone(name: &str) -> bool {
        const ALONE: &str = "MEMORY_TEST_ALONE";
        if std::env::var_os(ALONE).is_some() {
            return true;
        }
        let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
        let ran = alone.args(["--exact", &format!("memory::tests::{name}")]).env(ALONE, "yes").output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success() && said.contains("1 passed"), "{said}");
        false
    }

    /// On a thread that has made no product so far.
    #[test]
    fn the_first_product_is_not_charged_with_what_stays() {
        if !is_alone("the_first_product_is_not_charged_with_what_stays") {
            return;
        }
        let peak = std::thread::spawn(|| {
            let (a, mut b) = (Mat::<f32>::identity(512, 512), Mat::<f32>::zeros(512, 512));
            let watch = Watch::start();
            matmul(b.as_mut(), Accum::Replace, a.as_ref(), a.as_ref(), 1.0, Par::Seq);
            (watch.peak(), b)
        });
        let (peak, product) = peak.join().unwrap();
        assert_eq!(product, Mat::<f32>::identity(512, 512));
        assert!(peak < 16 << 20, "{peak}");
    }

    #[test]
    fn the_peak_is_that_of_what_was_there_at_once() {
        if !is_alone("the_peak_is_that_of_what_was_there_at_once") {
            return;
        }
        let size = 256 << 20;
        let watch = Watch::start();
        for _ in 0..3 {
            let block = vec![0u8; size];
            let peak = watch.peak();
            assert_eq!(std::hint::black_box(&block).len(), size);
            assert!(peak >= size && peak < size + (1 << 20), "{peak}");
        }
    }
}
