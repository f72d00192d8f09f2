//! Writes the generated parts of the documents, from `results/paper` and `experiments`. Run from the repository's root.

use std::path::Path;

fn main() -> anyhow::Result<()> {
    if std::env::args().len() > 1 {
        eprintln!("error: documents takes no arguments; it writes the documents below the directory it runs in");
        std::process::exit(2);
    }
    for (path, text) in figures::documents::rendered(Path::new("."))? {
        if std::fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            std::fs::write(&path, text)?;
            println!("{}", path.display());
        }
    }
    Ok(())
}
