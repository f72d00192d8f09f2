//! Peak memory of a piece of work, counted by the allocator: exact, on every system, and without the rest of the process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

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
    /// Starts watching.
    pub fn start() -> Self {
        let start = LIVE.load(Relaxed);
        PEAK.store(start, Relaxed);
        Self { start }
    }

    /// The most bytes since the start that were allocated at once, beyond those that were there before.
    pub fn peak(&self) -> usize {
        PEAK.load(Relaxed).saturating_sub(self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Other tests allocate and start watches at the same time, but not as much: the peak is read while the block is there.
    #[test]
    fn the_peak_is_that_of_what_was_there_at_once() {
        let size = 256 << 20;
        let watch = Watch::start();
        for _ in 0..3 {
            let block = vec![0u8; size];
            let peak = watch.peak();
            assert_eq!(std::hint::black_box(&block).len(), size);
            assert!(peak >= size / 4 * 3 && peak < size / 4 * 5, "{peak}");
        }
    }
}
