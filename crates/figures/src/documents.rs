//! The generated documents and parts of documents: claims, settings, counts of verdicts, the report of the paper's profile.
//! `just documents` writes them, a test compares.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use lab::report::{self, Places};
use lab::{Verdict, settings};

use crate::{CLAIMS, experiments};

/// Every document with a generated part, as it should be: path below the repository and content.
///
/// # Errors
/// If a document, table or settings file cannot be read, or a document lacks the marks of a part.
pub fn rendered(repository: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let [results, figures, settings_files] =
        ["results/paper", "figures/paper", "experiments"].map(|below| repository.join(below));
    let places = Places { profile: "paper", results: &results, figures: &figures, experiments: &settings_files };
    let list = experiments();
    let mut documents = vec![
        (PathBuf::from("docs/claims.md"), report::markdown(&list, CLAIMS, places)?),
        (Path::new("results/paper").join(report::FILE), report::html(&list, CLAIMS, places)?),
    ];
    for entry in &list {
        let name = entry.name();
        let table = settings::list(&settings_files.join(format!("{name}.toml")))?.markdown();
        let claims = report::claims_of(*entry, CLAIMS, places)?;
        let path = PathBuf::from(format!("docs/experiments/{name}.md"));
        let text = read(repository, &path)?;
        let text = replaced(&text, "settings", &table).and_then(|text| replaced(&text, "claims", &claims));
        documents.push((path.clone(), text.with_context(|| path.display().to_string())?));
    }
    let counts = report::counts(&list, CLAIMS, places)?;
    let counts =
        Verdict::ALL.iter().zip(counts).map(|(verdict, count)| format!("{count} {verdict}")).collect::<Vec<_>>();
    let readme = PathBuf::from("README.md");
    let text =
        replaced(&read(repository, &readme)?, "verdicts", &format!("{}.\n", counts.join(", "))).context("README.md")?;
    documents.push((readme, text));
    Ok(documents)
}

fn read(repository: &Path, path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(repository.join(path)).with_context(|| path.display().to_string())
}

/// `text` with the part between the marks of `part` replaced.
fn replaced(text: &str, part: &str, new: &str) -> anyhow::Result<String> {
    let (begin, end) = (format!("<!-- generated: {part} -->\n"), "<!-- /generated -->".to_owned());
    ensure!(text.matches(&begin).count() == 1, "it has no single part {begin:?}");
    let (before, rest) = text.split_once(&begin).context("it was counted")?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("the part {part} has no end {end:?}"))?;
    Ok(format!("{before}{begin}\n{new}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_replaced_between_their_marks() {
        let text = "a\n<!-- generated: x -->\nold\n<!-- /generated -->\nb\n";
        let new = replaced(text, "x", "new").unwrap();
        assert_eq!(new, "a\n<!-- generated: x -->\n\nnew\n<!-- /generated -->\nb\n");
        assert_eq!(replaced(&new, "x", "new").unwrap(), new);
        assert!(replaced(text, "y", "new").is_err());
    }
}
