//! One experiment as the report shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Places;
use super::texts::Texts;
use crate::claim::{self, Claim, Statement, Verdict};
use crate::{Entry, LabError, Results, seal};

/// The profile whose settings are the paper's.
const PAPER: &str = "paper";
/// Profiles with other models than that profile's, whose verdicts the report of `paper` takes in.
const OTHER_MODELS: [&str; 3] = ["base", "bert-base", "t5-base"];

/// One experiment of the report.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) claims: Vec<Claim>,
    /// Its figures: name and SVG.
    pub(super) figures: Vec<(String, String)>,
    /// Texts to be read, if it has any.
    pub(super) texts: Option<Texts>,
    /// Its tables.
    pub(super) tables: Vec<Link>,
    /// Its settings file, if it is there.
    pub(super) settings: Option<Link>,
    /// What speaks against its tables and verdicts.
    pub(super) doubts: Vec<String>,
    /// Profiles on other models whose verdicts are among the claims.
    pub(super) others: Vec<&'static str>,
    /// What it was run with; `None` if it was not run.
    pub(super) run: Option<Run>,
}

/// A file that the report links to.
pub(super) struct Link {
    pub(super) name: String,
    /// Relative to the report, escaped as addresses are.
    pub(super) address: String,
}

/// What an experiment was run with, from its `NAME.meta.toml`.
pub(super) struct Run {
    pub(super) started: String,
    pub(super) trial_seconds: f64,
    pub(super) trials: i64,
    pub(super) failed: i64,
    pub(super) revision: String,
    pub(super) machine: String,
    /// Settings that differ from those at the top of the TOML, which are the paper's: key, here, there.
    pub(super) differing: Vec<[String; 3]>,
}

impl Section {
    pub(super) fn gather(entry: Entry, statements: &[Statement], places: Places) -> Result<Self, LabError> {
        let name = entry.name;
        let mine: Vec<Statement> =
            statements.iter().filter(|statement| statement.experiment == name).cloned().collect();
        let Verdicts { claims, others, mut doubts } = verdicts(name, &mine, places)?;
        doubts.extend(seal::doubts(places.results, name)?);
        for other in &others {
            doubts.extend(seal::doubts(&places.results.with_file_name(other), name)?);
        }
        let meta = places.results.join(format!("{name}.meta.toml"));
        Ok(Self {
            name,
            about: entry.long_about,
            claims,
            figures: named(places.figures, name, "svg")
                .into_iter()
                .map(|file| Ok((file.clone(), drawing(&file, &read(&places.figures.join(&file))?))))
                .collect::<Result<_, LabError>>()?,
            texts: Texts::read(&tables(name, places.profile, places.results), &format!("{name}.texts"))?,
            tables: named(places.results, name, "csv").into_iter().map(beside).collect(),
            doubts,
            others,
            settings: link_to(&places.experiments.join(format!("{name}.toml")), places.results),
            run: meta.is_file().then(|| read(&meta)).transpose()?.and_then(|text| run(&text, name, places)),
        })
    }
}

/// An SVG as a part of the page: without what may stand before its element, and with names that no other figure has.
fn drawing(file: &str, svg: &str) -> String {
    let element = svg.find("<svg").map_or(svg, |at| &svg[at..]);
    let prefix = file.trim_end_matches(".svg");
    [" id=\"", "url(#", " href=\"#", "xlink:href=\"#"]
        .iter()
        .fold(element.to_owned(), |text, before| text.replace(before, &format!("{before}{prefix}.")))
}

fn beside(name: String) -> Link {
    Link { address: escaped(&name), name }
}

/// A link from a page in the directory `from` to a file; `None` if one of them is not there.
fn link_to(file: &Path, from: &Path) -> Option<Link> {
    let (to, from) = (file.canonicalize().ok()?, from.canonicalize().ok()?);
    let shared = to.components().zip(from.components()).take_while(|(one, other)| one == other).count();
    let up = from.components().skip(shared).map(|_| "..".to_owned());
    let down = to.components().skip(shared).map(|part| escaped(&part.as_os_str().to_string_lossy()));
    let name = file.file_name()?.to_string_lossy().into_owned();
    Some(Link { name, address: up.chain(down).collect::<Vec<_>>().join("/") })
}

fn escaped(part: &str) -> String {
    const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(part, &PLAIN).to_string()
}

/// The tables of an experiment in the directory of a profile.
fn tables(name: &str, profile: &str, directory: &Path) -> Results {
    Results::new(directory, format!("{name} --profile {profile}"))
}

/// The verdicts of an experiment.
struct Verdicts {
    claims: Vec<Claim>,
    /// Profiles on other models that some of them are of.
    others: Vec<&'static str>,
    /// What speaks against them.
    doubts: Vec<String>,
}

/// The verdicts of the profile and, beside the paper's, those of [`OTHER_MODELS`].
fn verdicts(name: &str, statements: &[Statement], places: Places) -> Result<Verdicts, LabError> {
    let read = |profile: &str, directory: &Path| -> Result<Option<Vec<Claim>>, LabError> {
        let results = tables(name, profile, directory);
        let stem = format!("{name}.claims");
        Ok(if results.has(&stem) { Some(results.read(&stem)?) } else { None })
    };
    let own = read(places.profile, places.results)?;
    let was_run = own.is_some();
    let mut claims = own.unwrap_or_default();
    let is_missing = |statement: &&Statement| claims.iter().all(|claim: &Claim| claim.id != statement.id);
    let missing: Vec<Statement> = statements.iter().filter(is_missing).cloned().collect();
    let mut doubts = Vec::new();
    if was_run {
        let said = |statement: &Statement| format!("{name}.claims.csv has no verdict on {}", statement.id);
        doubts.extend(missing.iter().map(said));
    }
    claims.extend(not_run(&missing)?);
    let mut others = Vec::new();
    for profile in OTHER_MODELS.into_iter().filter(|_| places.profile == PAPER) {
        let theirs = read(profile, &places.results.with_file_name(profile))?.unwrap_or_default();
        let tested: Vec<Claim> = theirs.into_iter().filter(|claim| claim.verdict != Verdict::NotTested).collect();
        others.extend((!tested.is_empty()).then_some(profile));
        tested.into_iter().for_each(|claim| take_in(&mut claims, claim));
    }
    Ok(Verdicts { claims, others, doubts })
}

/// Puts a verdict in the place of one that was not tested, of the same statement and case or of all its cases; else behind the
/// others of its statement.
fn take_in(claims: &mut Vec<Claim>, claim: Claim) {
    let is_placeholder = |own: &&mut Claim| {
        own.id == claim.id && own.verdict == Verdict::NotTested && (own.case == claim.case || own.case.is_empty())
    };
    if let Some(placeholder) = claims.iter_mut().find(is_placeholder) {
        *placeholder = claim;
        return;
    }
    let end = claims.iter().rposition(|own| own.id == claim.id).map_or(claims.len(), |last| last + 1);
    claims.insert(end, claim);
}

/// The rows of statements whose experiment has no tables in this profile.
fn not_run(statements: &[Statement]) -> anyhow::Result<Vec<Claim>> {
    let missing = |statement: &Statement| Statement {
        missing: statement.missing.clone().or_else(|| Some("not run in this profile".to_owned())),
        ..statement.clone()
    };
    claim::judge(&statements.iter().map(missing).collect::<Vec<_>>(), Vec::new())
}

/// `NAME.EXTENSION`, `NAME.*.EXTENSION` and `NAME-*.EXTENSION` in a directory, sorted. A name may begin another's.
fn named(directory: &Path, name: &str, extension: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut mine: Vec<String> = names
        .filter(|file| {
            let rest = file.strip_prefix(name).and_then(|rest| rest.strip_suffix(extension));
            rest.is_some_and(|rest| rest.starts_with(['.', '-']) && rest.ends_with('.'))
        })
        .collect();
    mine.sort_by_key(|file| (file.len(), file.clone()));
    mine
}

fn read(path: &Path) -> Result<String, LabError> {
    fs::read_to_string(path).map_err(|source| LabError::Read { path: path.to_owned(), source })
}

/// What a `NAME.meta.toml` says; `None` if it is none.
fn run(text: &str, name: &str, places: Places) -> Option<Run> {
    let meta: toml::Table = text.parse().ok()?;
    let part = |table: &str, key: &str| meta.get(table)?.get(key).cloned();
    let number = |key: &str| part("run", key).and_then(|value| value.as_integer()).unwrap_or(0);
    let text = |key: &str| part("machine", key).and_then(|value| Some(value.as_str()?.to_owned())).unwrap_or_default();
    let dirty = part("machine", "git_dirty").and_then(|value| value.as_bool()).unwrap_or(false);
    let revision: String = text("git_revision").chars().take(12).collect();
    let threads = part("machine", "threads").and_then(|value| value.as_integer()).unwrap_or(0);
    Some(Run {
        started: meta.get("started").and_then(|value| Some(value.as_str()?.to_owned())).unwrap_or_default(),
        trial_seconds: part("run", "trial_seconds").and_then(|value| value.as_float()).unwrap_or(0.0),
        trials: number("trials_run") + number("trials_reused"),
        failed: number("trials_failed"),
        revision: if dirty { format!("{revision}, changed") } else { revision },
        machine: format!("{}, {threads} threads", text("cpu")),
        differing: differing(&meta, name, places),
    })
}

/// The settings of a run that are others than at the top of its TOML. A key that stands in one of the two only is an optional
/// setting that the other is without.
fn differing(meta: &toml::Table, name: &str, places: Places) -> Vec<[String; 3]> {
    let file = fs::read_to_string(places.experiments.join(format!("{name}.toml"))).unwrap_or_default();
    let Ok(mut paper) = file.parse::<toml::Table>() else { return Vec::new() };
    paper.remove("profiles");
    let (mut here, mut there) = (BTreeMap::new(), BTreeMap::new());
    if let Some(settings) = meta.get("settings") {
        flatten("", settings, &mut here);
    }
    flatten("", &toml::Value::Table(paper), &mut there);
    let keys: BTreeSet<&String> = here.keys().chain(there.keys()).collect();
    let value = |of: &BTreeMap<String, String>, key| of.get(key).map_or(WITHOUT, String::as_str).to_owned();
    let differs = keys.into_iter().filter(|key| here.get(*key) != there.get(*key));
    differs.map(|key| [key.clone(), value(&here, key), value(&there, key)]).collect()
}

/// What stands for the value of a key that is not there.
const WITHOUT: &str = "not set";

/// Dotted keys and their values, of tables in a list with their places; numbers of equal value look the same however they were
/// written. An empty list is no value: it is what an optional one is without.
fn flatten(prefix: &str, value: &toml::Value, into: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&key, value, into);
            }
        }
        toml::Value::Array(values) if values.iter().all(toml::Value::is_table) => {
            for (place, value) in values.iter().enumerate() {
                flatten(&format!("{prefix}.{place}"), value, into);
            }
        }
        other => {
            into.insert(prefix.to_owned(), plain(other));
        }
    }
}

fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::Integer(whole) => format!("{:?}", *whole as f64),
        toml::Value::Float(number) => format!("{number:?}"),
        toml::Value::Array(values) => format!("[{}]", values.iter().map(plain).collect::<Vec<_>>().join(", ")),
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
    .replace(".0,", ",")
    .replace(".0]", "]")
    .trim_end_matches(".0")
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_an_experiment() {
        let directory = tempfile::tempdir().unwrap();
        for file in ["a.csv", "a.timing.csv", "a-layers.csv", "ab.csv", "a.svg", "acsv", "a.csv.csv"] {
            fs::write(directory.path().join(file), "").unwrap();
        }
        assert_eq!(named(directory.path(), "a", "csv"), ["a.csv", "a.csv.csv", "a-layers.csv", "a.timing.csv"]);
    }

    /// In the place of what was not tested; behind what was; never what was not tested itself.
    #[test]
    fn verdicts_on_other_models_are_taken_in() {
        let directory = tempfile::tempdir().unwrap();
        let results = ["paper", "base"].map(|profile| directory.path().join(profile));
        let header = "id,case,claim,source,paper,measured,n,low,high,adjusted_p,verdict,reason\n";
        let rows = [
            "a/x,,s,p,,,0,,,,not tested,r\na/y,one,s,p,,1,1,,,,holds,\na/z,,s,p,,,0,,,,not tested,r\n",
            "a/x,other,s,p,,2,5,,,,differs,\na/y,two,s,p,,3,5,,,,inconclusive,\na/z,,s,p,,,0,,,,not tested,q\n",
        ];
        for (place, rows) in results.iter().zip(rows) {
            fs::create_dir(place).unwrap();
            fs::write(place.join("a.claims.csv"), format!("{header}{rows}")).unwrap();
        }
        let found = |profile: &str, place: &Path| -> Vec<String> {
            let places = Places { profile, results: place, figures: place, experiments: place };
            let Verdicts { claims, others, .. } = verdicts("a", &[], places).unwrap();
            assert_eq!(others, if profile == "paper" { vec!["base"] } else { vec![] });
            claims.into_iter().map(|claim| [claim.id, claim.case, claim.measured].join(" ")).collect()
        };
        assert_eq!(found("paper", &results[0]), ["a/x other 2", "a/y one 1", "a/y two 3", "a/z  "]);
        assert_eq!(found("base", &results[1]).len(), 3);
    }

    #[test]
    fn links_are_relative_and_escaped() {
        let directory = tempfile::tempdir().unwrap();
        let [from, to] = ["results/my runs", "a b#"].map(|below| directory.path().join(below));
        fs::create_dir_all(&from).unwrap();
        fs::create_dir_all(&to).unwrap();
        fs::write(to.join("x.toml"), "").unwrap();
        let link = link_to(&to.join("x.toml"), &from).unwrap();
        assert_eq!((&*link.name, &*link.address), ("x.toml", "../../a%20b%23/x.toml"));
        assert!(link_to(&to.join("y.toml"), &from).is_none());
    }

    #[test]
    fn names_inside_a_figure_are_its_own() {
        let svg = "<?xml version=\"1.0\"?><svg><g id=\"a\"/><use xlink:href=\"#a\" fill=\"url(#a)\"/></svg>";
        let own = "<svg><g id=\"x.a\"/><use xlink:href=\"#x.a\" fill=\"url(#x.a)\"/></svg>";
        assert_eq!(drawing("x.svg", svg), own);
    }

    #[test]
    fn settings_that_differ() {
        let directory = tempfile::tempdir().unwrap();
        let paper = "seed = 1\nstep = 5e3\nlist = [1.0, 2]\ncases = [{ a = 1 }, { a = 2 }]\n[problem]\nsize = 1000\n[profiles.quick]\nproblem.size = 9\n";
        fs::write(directory.path().join("a.toml"), paper).unwrap();
        let path = directory.path();
        let places = Places { profile: "quick", results: path, figures: path, experiments: path };
        let meta = "[settings]\nseed = 1\nlist = [1, 2]\ncases = [{ a = 1.0, b = [] }, { a = 3 }]\n[settings.problem]\nmost = 3\nsize = 9\n";
        let found = differing(&meta.parse().unwrap(), "a", places);
        let expected = [
            ["cases.1.a", "3", "2"],
            ["problem.most", "3", "not set"],
            ["problem.size", "9", "1000"],
            ["step", "not set", "5000"],
        ];
        assert_eq!(found, expected.map(|row| row.map(str::to_owned)));
    }
}
