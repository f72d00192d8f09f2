//! Writes the generated parts of the documents, from `results/paper` and `experiments`. Run from the repository's root.

use std::path::Path;

fn main() -> anyhow::Result<()> {
    for (path, text) in figures::documents::rendered(Path::new("."))? {
        if std::fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            std::fs::write(&path, text)?;
            println!("{}", path.display());
        }
    }
    Ok(())
}
