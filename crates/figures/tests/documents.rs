//! What `just documents` writes is what is committed.

use std::fs;
use std::path::Path;

#[test]
fn no_generated_part_of_a_document_is_stale() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let rendered = figures::documents::rendered(&repository).expect("documents with their marks");
    assert!(rendered.len() > figures::experiments().len());
    let stale: Vec<_> = rendered
        .into_iter()
        .filter(|(path, text)| fs::read_to_string(repository.join(path)).ok().as_ref() != Some(text))
        .map(|(path, _)| path)
        .collect();
    assert!(stale.is_empty(), "stale: {stale:?}; `just documents` writes them anew");
}
