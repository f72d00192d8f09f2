//! How often people's own texts of the E2E data have slot errors by the rule of this crate, slot by slot.
//!
//!     cargo run --release -p texts --example slots -- devset.csv [SLOT]
//!
//! With a slot, the texts with an error of it are printed.

use std::collections::BTreeMap;
use std::error::Error;

use texts::e2e::Split;
use texts::slots::{SlotError, errors};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("name a CSV of the E2E data")?;
    let shown = arguments.next();
    let mut counts: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    for row in Split::read(file.as_ref())?.rows {
        for slot in row.meaning.slots() {
            counts.entry(format!("{}[{}]", slot.name, slot.value)).or_default()[0] += 1;
        }
        for error in errors(&row.reference, &row.meaning) {
            let (slot, kind) = match &error {
                SlotError::Missing(slot) => (slot, 1),
                SlotError::Wrong { slot, .. } => (slot, 2),
            };
            counts.entry(format!("{}[{}]", slot.name, slot.value)).or_default()[kind] += 1;
            if shown.as_ref() == Some(&slot.name) {
                println!("{error}: {}", row.reference);
            }
        }
    }
    println!("slot, times, missing, wrong");
    for (slot, [times, missing, wrong]) in counts {
        println!("{slot}, {times}, {missing}, {wrong}");
    }
    Ok(())
}
