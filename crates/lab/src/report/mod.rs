//! The report: every statement with its verdict, every figure, in one HTML file that needs nothing else.
//!
//! Made from what is on disk: `NAME.claims.csv`, `NAME.meta.toml` and the figures of one profile.

mod markdown;
mod page;
mod section;
mod texts;

use std::path::{Path, PathBuf};

use crate::claim::{self, Claim, Statement, Verdict};
use crate::{Entry, LabError, files};
use section::Section;

/// The report's name.
pub const FILE: &str = "report.html";

/// Where the parts of a report are.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The profile: its tables are in `results/PROFILE`, its figures in `figures/PROFILE`.
    pub profile: &'a str,
    /// The directory of the profile's tables, where the report goes.
    pub results: &'a Path,
    /// The directory of the profile's figures.
    pub figures: &'a Path,
    /// The directory of the settings files.
    pub experiments: &'a Path,
}

/// All that a report shows.
struct Report<'a> {
    places: Places<'a>,
    sections: Vec<Section>,
    /// Statements that no experiment tests yet.
    untested: Vec<Claim>,
    /// Ids of the statements that are shown first.
    headlines: Vec<String>,
}

impl Report<'_> {
    fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.sections.iter().flat_map(|section| &section.claims).chain(&self.untested)
    }

    /// The claims of one statement.
    fn cases(&self, id: &str) -> Vec<&Claim> {
        self.claims().filter(|claim| claim.id == id).collect()
    }

    /// The profiles whose runs it shows, in words: the own one and, beside the paper's, those on other models.
    fn profiles(&self) -> String {
        let others = self.sections.iter().flat_map(|section| &section.others);
        let mut names: Vec<&str> = others.copied().collect();
        names.sort_unstable();
        names.dedup();
        match names.is_empty() {
            true => self.places.profile.to_owned(),
            false => format!("{} and, on other models, {}", self.places.profile, names.join(", ")),
        }
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.claims().filter(|claim| claim.verdict == verdict).count()
    }
}

/// Writes [`FILE`] beside the tables of a profile, and says where. Of an experiment whose run just `failed`, with its error, the
/// report says that what it shows may be of an earlier one.
///
/// # Errors
/// If a table or figure that is there cannot be read, or the report not written.
pub fn write(
    experiments: &[Entry],
    statements: &str,
    places: Places,
    failed: &[(&str, String)],
) -> Result<PathBuf, LabError> {
    let path = places.results.join(FILE);
    let mut report = gather(experiments, statements, places)?;
    for doubt in report.sections.iter().flat_map(|section| &section.doubts) {
        tracing::warn!("{doubt}; the report says so");
    }
    // Their errors were said when they happened. Of what shows nothing there is nothing to doubt.
    for section in report.sections.iter_mut().filter(|section| section.run.is_some()) {
        let failures = failed.iter().filter(|(name, _)| *name == section.name);
        section.doubts.extend(failures.map(|(name, error)| {
            format!("the last run of {name} ended with an error ({error}): what it did not write is of an earlier one")
        }));
    }
    files::write(&path, page::html(&report).into_string().as_bytes())?;
    Ok(path)
}

/// The profiles that have tables of some experiment, sorted: the directories below `results` with an `NAME.csv`.
pub(crate) fn profiles(results: &Path, experiments: &[Entry]) -> Vec<String> {
    let has_tables =
        |directory: &Path| experiments.iter().any(|entry| directory.join(format!("{}.csv", entry.name)).is_file());
    let directories = std::fs::read_dir(results).into_iter().flatten().flatten();
    let profiles = directories.filter(|entry| has_tables(&entry.path()));
    let mut names: Vec<String> = profiles.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// The text of the report.
///
/// # Errors
/// If a table or figure that is there cannot be read.
pub fn html(experiments: &[Entry], statements: &str, places: Places) -> Result<String, LabError> {
    gather(experiments, statements, places).map(|report| page::html(&report).into_string())
}

/// The same statements and verdicts as a Markdown table, for reading on a forge.
///
/// # Errors
/// If a table that is there cannot be read.
pub fn markdown(experiments: &[Entry], statements: &str, places: Places) -> Result<String, LabError> {
    gather(experiments, statements, places).map(|report| markdown::page(&report))
}

/// The claims of one experiment as a table in Markdown.
///
/// # Errors
/// If a table that is there cannot be read.
pub fn claims_of(entry: Entry, statements: &str, places: Places) -> Result<String, LabError> {
    Ok(markdown::rows(&Section::gather(entry, &claim::statements(statements)?, places)?.claims))
}

/// How many claims of a profile have each verdict, in the order of [`Verdict::ALL`].
///
/// # Errors
/// If a table that is there cannot be read.
pub fn counts(experiments: &[Entry], statements: &str, places: Places) -> Result<[usize; 4], LabError> {
    let report = gather(experiments, statements, places)?;
    Ok(Verdict::ALL.map(|verdict| report.count(verdict)))
}

fn gather<'a>(experiments: &[Entry], statements: &str, places: Places<'a>) -> Result<Report<'a>, LabError> {
    let statements = claim::statements(statements)?;
    let sections =
        experiments.iter().map(|entry| Section::gather(*entry, &statements, places)).collect::<Result<_, _>>()?;
    let known = |name: &str| experiments.iter().any(|entry| entry.name == name);
    let untested: Vec<Statement> =
        statements.iter().filter(|statement| !known(&statement.experiment)).cloned().collect();
    Ok(Report {
        places,
        sections,
        untested: claim::judge(&untested, Vec::new())?,
        headlines: statements
            .into_iter()
            .filter(|statement| statement.headline)
            .map(|statement| statement.id)
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_without_results_has_its_statements_untested() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let places = Places { profile: "quick", results: path, figures: path, experiments: path };
        let statements = "[[claim]]\nid = \"a/b\"\nexperiment = \"a\"\nstatement = \"x < y & z\"\nsource = \"Table 1\"\n\
            missing = \"no such experiment yet\"\nheadline = true\n";
        assert_eq!(counts(&[], statements, places).unwrap(), [0, 0, 0, 1]);
        let html = std::fs::read_to_string(write(&[], statements, places, &[]).unwrap()).unwrap();
        assert!(html.contains("x &lt; y &amp; z") && html.contains("no such experiment yet"), "{html}");
        let table = markdown(&[], statements, places).unwrap();
        assert!(table.contains("| x < y & z | Table 1 |"), "{table}");
    }
}
