//! A step's forward and backward pass allocate nothing once the buffers have grown.

#[allow(dead_code, reason = "merged adapters are for other tests")]
mod fixed;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use adaptation::{Activations, Adapters, Batch, Config, Dropout, Encoder, Head, Network, Pooling, Site};
use dynamics::random::{gaussian, stream};
use faer::{Mat, Par};
use fixed::Fixed;

/// The system's allocator, counting.
struct Counting;

thread_local! {
    /// Allocations of this thread: the test runner has threads of its own, which allocate when they please.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise about the layout is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer comes from `alloc` with this layout, by the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn nothing_is_allocated_once_buffers_have_grown() {
    let mut rng = stream(4, &["allocations"]);
    let encoder = Arc::new(Encoder::<f32>::random(Config::tiny(30), 0.2, &mut rng));
    let config = encoder.config().clone();
    let network =
        Network { encoder, pooling: Pooling::Pooler, head: Head::random(1, config.hidden_size, 0.02, &mut rng) };
    let mut adapters = Adapters::new();
    for site in [Site::WordEmbeddings, Site::Pooler, Site::Query(0), Site::Value(1), Site::Intermediate(0)] {
        let (m, n) = config.shape(site);
        let mut draw = |rows, columns| {
            let drawn = gaussian(rows, columns, &mut rng);
            Mat::from_fn(rows, columns, |i, j| drawn[(i, j)] as f32)
        };
        adapters.insert(site, Box::new(Fixed::factored(draw(m, 4), draw(4, n))));
    }
    let (mut batch, mut activations, d_logits) = (Batch::new(), Activations::new(), Mat::<f32>::full(1, 9, 0.1));
    let mut step = |number: u64, length: usize| {
        batch.clear();
        for sequence in 0..9 {
            let length = length - sequence % 3;
            batch.push(&[7; 40][..length], &[0; 40][..length]);
        }
        network.forward(&batch, &adapters, &Dropout::Seeded { seed: 1, step: number }, &mut activations, Par::Seq);
        network.backward(&batch, d_logits.as_ref(), &mut adapters, &mut activations, Par::Seq);
    };
    let lengths = [40, 11, 25];
    lengths.into_iter().for_each(|length| step(0, length));
    let before = COUNT.get();
    assert!(before > 0, "nothing is counted");
    lengths.into_iter().for_each(|length| step(1, length));
    assert_eq!(COUNT.get() - before, 0, "allocations in three steps");
}
