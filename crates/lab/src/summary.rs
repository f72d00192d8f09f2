//! The closing table on stdout.

use std::fmt::Write;

use indicatif::HumanBytes;

use crate::provenance::Run;
use crate::session::{Report, Session};
use crate::shard::Shard;
use crate::store::{Packed, Standing};
use crate::{Claim, Verdict};

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

/// Of `--pack`.
pub(crate) fn of_pack(experiment: &str, packed: &Packed) -> String {
    let Packed { path, bytes, trials, others, planned, left_out, too_large, changed } = packed;
    let path = path.display();
    let trials_of =
        planned.map_or(format!("{trials} trials"), |planned| format!("{} of {planned} trials", trials - others));
    let mut text = match (trials, changed) {
        (0, _) if *too_large == 0 => format!("{experiment}: nothing packed, no trial of this plan is stored"),
        (0, _) => format!("{experiment}: nothing packed"),
        (_, true) => format!("{experiment}: {trials_of} packed into {path} ({})", HumanBytes(*bytes as u64)),
        (_, false) => format!("{experiment}: {trials_of} in {path}, as before"),
    };
    if *others > 0 {
        let _ = write!(text, "; beside them {others} of other settings, packed before");
    }
    for (number, why) in [
        (left_out, "which these settings do not have"),
        (too_large, "whose outcomes have more than 1 MiB each, too much to be committed"),
    ] {
        let _ = if *number > 0 { write!(text, "; {number} left out, {why}") } else { Ok(()) };
    }
    text + "\n"
}

/// Of `--shard`; `waiting` is the number of trials that the second stage waits for.
pub(crate) fn of_share(experiment: &str, shard: Shard, run: &Run, waiting: usize) -> String {
    let Run { trials_run, trials_reused, trials_failed, .. } = run;
    let mut text =
        format!("{experiment}, {shard}: {trials_run} run, {trials_reused} stored before, {trials_failed} failed\n");
    if waiting > 0 {
        let _ = writeln!(
            text,
            "{experiment}, {shard}: the second stage waits for {waiting} trials of the first; when they are finished, run \
             the same command again, or pass --wait"
        );
    }
    text
}

/// Of `--status`: how many trials stand how, then a line for each.
pub(crate) fn of_standings(what: &str, standings: &[(String, Standing)]) -> String {
    let name = |standing: &Standing| match standing {
        Standing::Finished => "finished",
        Standing::Running(_) => "running",
        Standing::Waiting => "waiting",
        Standing::Failed(_) => "failed",
    };
    let count = |wanted: &str| standings.iter().filter(|(_, standing)| name(standing) == wanted).count();
    let counts = ["finished", "running", "waiting", "failed"].map(|wanted| format!("{} {wanted}", count(wanted)));
    let mut text = format!("{what}: {} trials: {}\n", standings.len(), counts.join(", "));
    for (label, standing) in standings {
        let more = match standing {
            Standing::Running(Some(terms)) => format!(": {}, since {}", terms.process, terms.since),
            Standing::Failed(failure) => format!(": {}", failure.error()),
            _ => String::new(),
        };
        let _ = writeln!(text, "  {:8}  {label}{more}", name(standing));
    }
    text
}

fn table(reports: &[Report]) -> String {
    let width = reports.iter().map(|report| report.experiment.len()).chain([10]).max().unwrap_or(10);
    let mut text = format!(
        "{:width$}  {:>6}  {:>6}  {:>6}  {:>9}  {:>5}\n",
        "experiment", "run", "reused", "failed", "seconds", "files"
    );
    for Report { experiment, run, files, errors, left_out, .. } in reports {
        let _ = write!(
            text,
            "{experiment:width$}  {:>6}  {:>6}  {:>6}  {:>9.1}  {:>5}",
            run.trials_run,
            run.trials_reused,
            run.trials_failed,
            run.wall_seconds,
            files.len()
        );
        text += match (errors.is_empty(), left_out) {
            (true, None) => "\n",
            (true, Some(_)) => "  left out: its data is not there\n",
            (false, _) => "  incomplete, see the errors\n",
        };
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
