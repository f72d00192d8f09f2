//! The closing table on stdout.

use std::error::Error;
use std::fmt::Write;

use indicatif::HumanBytes;

use crate::session::{Report, Session};
use crate::store::Packed;
use crate::{Claim, LabError, Verdict};

/// For a single experiment: its row, the files written, its claims.
pub(crate) fn of_one(report: &Report) -> String {
    let mut text = table(std::slice::from_ref(report));
    for file in &report.files {
        let _ = writeln!(text, "  {}", file.display());
    }
    text + &claims(std::slice::from_ref(report), "")
}

/// For several: a row each, where the files are, and all claims.
pub(crate) fn of_all(reports: &[Report], session: &Session) -> String {
    let (results, figures) = (session.results.display(), session.figures.display());
    let mut text = table(reports);
    let _ = writeln!(text, "tables in {results}, figures in {figures}");
    text + &claims(reports, &format!("; all of them: {results}/*.claims.csv"))
}

/// Of `--pack`: a line each.
pub(crate) fn of_packs(reports: &[Report]) -> String {
    let mut text = String::new();
    for Report { experiment, packed, .. } in reports {
        let Some(Packed { path, bytes, trials, planned, left_out, too_large, changed }) = packed else { continue };
        let path = path.display();
        let trials_of = planned.map_or(format!("{trials} trials"), |planned| format!("{trials} of {planned} trials"));
        let _ = match (trials, changed) {
            (0, _) if *too_large == 0 => write!(text, "{experiment}: nothing packed, no trial of this plan is stored"),
            (0, _) => write!(text, "{experiment}: nothing packed"),
            (_, true) => write!(text, "{experiment}: {trials_of} packed into {path} ({})", HumanBytes(*bytes as u64)),
            (_, false) => write!(text, "{experiment}: {trials_of} in {path}, as before"),
        };
        for (number, why) in [
            (left_out, "which these settings do not have"),
            (too_large, "whose outcomes have more than 1 MiB each, too much to be committed"),
        ] {
            let _ = if *number > 0 { write!(text, "; {number} left out, {why}") } else { Ok(()) };
        }
        text.push('\n');
    }
    text
}

fn table(reports: &[Report]) -> String {
    let width = reports.iter().map(|report| report.experiment.len()).chain([10]).max().unwrap_or(10);
    let mut text = format!(
        "{:width$}  {:>6}  {:>6}  {:>6}  {:>9}  {:>5}\n",
        "experiment", "run", "reused", "failed", "seconds", "files"
    );
    for Report { experiment, run, files, errors, .. } in reports {
        let _ = write!(
            text,
            "{experiment:width$}  {:>6}  {:>6}  {:>6}  {:>9.1}  {:>5}",
            run.trials_run,
            run.trials_reused,
            run.trials_failed,
            run.wall_seconds,
            files.len()
        );
        text += if errors.is_empty() { "\n" } else { "  incomplete, see the errors\n" };
    }
    for Report { experiment, run, .. } in reports {
        for failure in &run.failures {
            let _ = writeln!(text, "  failed: {experiment}: {failure}");
        }
    }
    text
}

fn claims(reports: &[Report], end: &str) -> String {
    let all = || reports.iter().flat_map(|report| report.claims.iter().map(move |claim| (report.experiment, claim)));
    if all().next().is_none() {
        return String::new();
    }
    let count = |verdict: Verdict| format!("{} {verdict}", all().filter(|(_, claim)| claim.verdict == verdict).count());
    let mut text = format!("claims: {}{end}\n", Verdict::ALL.map(count).join(", "));
    for (experiment, claim) in all().filter(|(_, claim)| claim.verdict == Verdict::Differs) {
        let Claim { case, claim, paper, measured, .. } = claim;
        let case = if case.is_empty() { String::new() } else { format!(" [{case}]") };
        let _ = writeln!(text, "  differs: {experiment}: {claim}{case} (paper: {paper}; measured: {measured})");
    }
    text
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &LabError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
