//! Merging, and each error message in full.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    seed: u64,
    trials: usize,
    widths: Vec<usize>,
    problem: Problem,
    #[serde(default)]
    cases: Vec<Case>,
    layers: Option<NonZeroUsize>,
    #[serde(default)]
    tolerance: f64,
    #[serde(default)]
    note: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Problem {
    rank: usize,
    kind: Kind,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum Kind {
    Full,
    Partial { fraction: f64 },
    Other { share: f64 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    epsilon: f64,
    range: [f64; 2],
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(self.problem.rank <= 30, "problem.rank", self.problem.rank, "at most 30")?;
        Invalid::unless(self.tolerance == 0.0, "tolerance", self.tolerance, "0")?;
        for (index, width) in self.widths.iter().enumerate() {
            Invalid::unless(*width > 0, format!("widths.{index}"), width, "1 or more")?;
        }
        Ok(())
    }
}

const GOOD: &str = r#"seed = 1
trials = 5
widths = [10, 20]

[problem]
rank = 10
kind = "full"

[[cases]]
epsilon = 1
range = [0, 1]

[[cases]]
epsilon = 1e-3
range = [0.5, 1]

[profiles.quick]
trials = 2
widths = [30]
problem.rank = 3

[profiles.smoke.problem]
kind = { partial = { fraction = 0.5 } }
"#;

/// Loads `text` as the file `x.toml`; the message names it without its directory.
fn load_text(text: &str, profile: &str, sets: &[&str]) -> Result<Settings, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.toml");
    std::fs::write(&path, text).unwrap();
    let overrides: Result<Vec<_>, _> = sets.iter().map(|set| Override::set(set)).collect();
    overrides
        .and_then(|overrides| load(&path, profile, &overrides))
        .map(|resolved| resolved.settings)
        .map_err(|error| error.to_string().replace(&format!("{}/", directory.path().display()), ""))
}

fn message(text: &str, profile: &str, sets: &[&str]) -> String {
    load_text(text, profile, sets).unwrap_err()
}

#[test]
fn the_file_itself_is_the_paper_profile() {
    let settings = load_text(GOOD, "paper", &[]).unwrap();
    assert_eq!((settings.trials, settings.problem.rank), (5, 10));
    assert_eq!(settings.cases[0], Case { epsilon: 1.0, range: [0.0, 1.0] });
    assert_eq!(settings.layers, None);
}

#[test]
fn a_profile_is_merged_table_by_table() {
    let quick = load_text(GOOD, "quick", &[]).unwrap();
    assert_eq!((quick.seed, quick.trials, quick.widths), (1, 2, vec![30]));
    assert_eq!(quick.problem, Problem { rank: 3, kind: Kind::Full });
    let smoke = load_text(GOOD, "smoke", &[]).unwrap();
    assert_eq!(smoke.problem, Problem { rank: 10, kind: Kind::Partial { fraction: 0.5 } });
}

#[test]
fn the_paper_profile_may_have_a_table() {
    let text = format!("{GOOD}\n[profiles.paper]\ntrials = 9\n");
    assert_eq!(load_text(&text, "paper", &[]).unwrap().trials, 9);
}

#[test]
fn set_wins_and_takes_toml_values_and_bare_words() {
    let sets = ["trials=7", "problem.kind=full", "widths=[1,2]", "cases.1.epsilon=0.5", "layers = 3"];
    let settings = load_text(GOOD, "smoke", &sets).unwrap();
    assert_eq!((settings.trials, settings.widths), (7, vec![1, 2]));
    assert_eq!(settings.problem.kind, Kind::Full);
    assert_eq!(settings.cases[1], Case { epsilon: 0.5, range: [0.5, 1.0] });
    assert_eq!(settings.layers, NonZeroUsize::new(3));
    assert_eq!(load_text(GOOD, "smoke", &["trials=1", "trials=2"]).unwrap().trials, 2);
}

#[test]
fn a_table_on_the_command_line_is_merged_like_a_profiles() {
    let settings = load_text(GOOD, "quick", &["problem={ rank = 7 }"]).unwrap();
    assert_eq!(settings.problem, Problem { rank: 7, kind: Kind::Full });
    let settings = load_text(GOOD, "smoke", &["cases.1={ epsilon = 2 }", "problem={}"]).unwrap();
    assert_eq!(settings.cases[1], Case { epsilon: 2.0, range: [0.5, 1.0] });
    assert_eq!(settings.problem.kind, Kind::Partial { fraction: 0.5 });
}

#[test]
fn of_merged_variants_the_one_laid_on_top_counts() {
    let sets = ["problem.kind={ other = { share = 0.25 } }"];
    assert_eq!(load_text(GOOD, "smoke", &sets).unwrap().problem.kind, Kind::Other { share: 0.25 });
    let sets = ["problem.kind={ partial = { fraction = 0.25 } }"];
    assert_eq!(load_text(GOOD, "smoke", &sets).unwrap().problem.kind, Kind::Partial { fraction: 0.25 });
    let both = ["problem.kind={ partial = { fraction = 0.25 }, other = { share = 0.25 } }"];
    let text = message(GOOD, "smoke", &both);
    assert!(
        text.ends_with(
            "problem.kind = a table is not allowed; allowed: a table with one of the keys full, partial, other"
        ),
        "{text}"
    );
}

#[test]
fn text_without_end_is_cut() {
    let long = "x".repeat(1 << 20);
    for set in
        [format!("problem.rank={long}"), format!("{long}=1"), format!("problem.{long}=1"), format!("widths=[{long}")]
    {
        let text = message(GOOD, "quick", &[&set]);
        assert!(text.len() < 1000 && text.contains("more characters"), "{}", &text[..text.len().min(2000)]);
    }
    for line in [format!("zebra = \"{long}\"\n"), format!("seed = = {long}\n"), format!("{long} = 1\n"), long.clone()] {
        let text = message(&format!("{line}{GOOD}"), "quick", &[]);
        assert!(text.len() < 1000, "{}", &text[..text.len().min(2000)]);
    }
    let text = message(&GOOD.replace("trials = 5", &format!("trials = \"{long}\"")), "quick", &[]);
    assert!(text.len() < 600 && text.contains("a whole number"), "{}", &text[..text.len().min(2000)]);
}

#[test]
fn carriage_returns_alone_and_deep_nesting_are_said_shortly() {
    let text = message(&GOOD.replace('\n', "\r"), "quick", &[]);
    assert!(text.starts_with("x.toml:1: not valid TOML: its lines end in carriage returns alone"), "{text}");
    assert!(text.len() < 500 && !text.contains(['\r', '\n']), "{text}");
    let deep = 200_000;
    for text in [
        format!("seed = {}{}\n", "[".repeat(deep), "]".repeat(deep)),
        format!("seed = {}\n", "{ a = ".repeat(deep)),
        format!("{}a = 1\n", "a.".repeat(deep)),
        format!("[{}a]\n", "a.".repeat(deep)),
    ] {
        let text = message(&text, "quick", &[]);
        assert!(text.starts_with("x.toml") && text.len() < 600, "{}", &text[..text.len().min(2000)]);
    }
    for set in [format!("{}a=1", "a.".repeat(deep)), format!("seed={}", "[".repeat(deep))] {
        let text = message(GOOD, "quick", &[&set]);
        assert!(text.contains("expected key=value") && text.len() < 600, "{}", &text[..text.len().min(2000)]);
    }
}

#[test]
fn many_unknown_keys_take_no_time() {
    let text = (0..400_000).fold(String::from("seed = 1\n"), |text, key| text + &format!("k{key} = 1\n"));
    let started = std::time::Instant::now();
    let text = message(&text, "quick", &[]);
    assert!(text.starts_with("x.toml:2: unknown key k0"), "{text}");
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn text_that_a_picture_cannot_hold_is_refused() {
    for bad in ["\\u0000", "\\t", "\\n", "\\u001b", "\\u007f", "\\uFFFE"] {
        let text = message(&format!("note = \"a{bad}\"\n{GOOD}"), "paper", &[]);
        assert!(text.ends_with("allowed: text without control characters (line breaks, tabs, …)"), "{text}");
        assert!(!text.chars().any(char::is_control), "{text}");
    }
}

#[test]
fn overrides_with_odd_keys_are_refused_in_one_sentence() {
    for (set, expected) in [
        ("\"a b\"=1", "unknown key \"a b\""),
        ("é=1", "unknown key é"),
        ("profiles.x=1", "unknown key profiles"),
        ("widths.-1=1", "there is no widths.-1"),
        ("widths.99999999999999999999=1", "there is no widths.99999999999999999999"),
        ("problem.rank.x.y=1", "problem.rank = a table is not allowed; allowed: a whole number"),
        ("a\u{7}b=1", "unknown key a\\u{7}b"),
        (".=1", "expected key=value"),
        ("\n=1", "expected key=value"),
    ] {
        let text = message(GOOD, "quick", &[set]);
        assert!(text.contains(expected) && !text.chars().any(char::is_control), "{set}: {text}");
    }
}

#[test]
fn an_unknown_key_names_itself_and_the_nearest() {
    assert_eq!(
        message(&GOOD.replace("rank = 10", "rnak = 10"), "paper", &[]),
        "x.toml:6: unknown key problem.rnak (did you mean rank?); allowed here: rank, kind"
    );
    assert_eq!(
        message(&format!("zebra = 1\n{GOOD}"), "paper", &[]),
        "x.toml:1: unknown key zebra; allowed here: seed, trials, widths, problem, cases, layers, tolerance, note"
    );
    let text = message(GOOD, "paper", &["rank=3"]);
    assert!(text.contains("unknown key rank (did you mean problem.rank?)"), "{text}");
}

#[test]
fn an_unknown_key_in_a_profile_not_chosen_is_an_error() {
    assert_eq!(
        message(&GOOD.replace("problem.rank = 3", "problem.ranks = 3"), "smoke", &[]),
        "x.toml:20 [profiles.quick]: unknown key problem.ranks (did you mean rank?); allowed here: rank, kind"
    );
}

#[test]
fn a_wrong_type_names_file_line_key_and_value() {
    assert_eq!(
        message(&GOOD.replace("rank = 10", "rank = -10"), "paper", &[]),
        "x.toml:6: problem.rank = -10 is not allowed; allowed: a whole number, not negative"
    );
    assert_eq!(
        message(&GOOD.replace("trials = 5", "trials = 5.0"), "paper", &[]),
        "x.toml:2: trials = 5.0 is not allowed; allowed: a whole number, not negative"
    );
    assert_eq!(
        message(&GOOD.replace("[10, 20]", "[10,\n  \"a\"]"), "paper", &[]),
        "x.toml:4: widths.1 = \"a\" is not allowed; allowed: a whole number, not negative"
    );
    assert_eq!(
        message(&GOOD.replace("widths = [30]", "widths = 30"), "paper", &[]),
        "x.toml:19 [profiles.quick]: widths = 30 is not allowed; allowed: a list in [ ]"
    );
    assert_eq!(
        message(&GOOD.replace("epsilon = 1e-3", "epsilon = \"small\""), "quick", &[]),
        "x.toml:14: cases.1.epsilon = \"small\" is not allowed; allowed: a number"
    );
    assert_eq!(
        message(&GOOD.replace("\"full\"", "\"most\""), "quick", &[]),
        "x.toml:7: problem.kind = \"most\" is not allowed; allowed: \"full\", \"partial\", \"other\""
    );
    assert_eq!(
        message(&GOOD.replace("fraction = 0.5", "fraction = true"), "quick", &[]),
        "x.toml:23 [profiles.smoke]: problem.kind.partial.fraction = true is not allowed; allowed: a number"
    );
}

#[test]
fn a_list_of_the_wrong_length_is_refused() {
    let long = message(&GOOD.replace("[0, 1]", "[0, 1, 2]"), "quick", &[]);
    assert_eq!(long, "x.toml:11: cases.0.range = [0, 1, 2] is not allowed; allowed: a list with 1 element(s) fewer");
    let short = message(&GOOD.replace("[0, 1]", "[0]"), "quick", &[]);
    assert_eq!(short, "x.toml:11: cases.0.range = [0] is not allowed; allowed: an array of length 2");
}

#[test]
fn a_missing_key_is_named() {
    assert_eq!(
        message(&GOOD.replace("seed = 1\n", ""), "quick", &[]),
        "x.toml: the key seed is missing; allowed: a whole number, not negative"
    );
    assert_eq!(
        message(&GOOD.replace("epsilon = 1e-3\n", ""), "quick", &[]),
        "x.toml:13: the key cases.1.epsilon is missing; allowed: a number"
    );
    assert_eq!(message("", "paper", &[]), "x.toml: the key seed is missing; allowed: a whole number, not negative");
    assert_eq!(
        message(&GOOD.replace("kind = \"full\"\n", ""), "paper", &[]),
        "x.toml:5: the key problem.kind is missing; allowed: \"full\", \"partial\", \"other\""
    );
    let text = message("seed = 1\ntrials = 1\nwidths = [1]\n", "paper", &[]);
    assert_eq!(text, "x.toml: the key problem is missing; allowed: a table");
}

#[test]
fn a_check_names_where_the_value_was_written() {
    assert_eq!(
        message(&GOOD.replace("rank = 10", "rank = 40"), "paper", &[]),
        "x.toml:6: problem.rank = 40 is not allowed; allowed: at most 30"
    );
    assert_eq!(
        message(&GOOD.replace("problem.rank = 3", "problem.rank = 50"), "quick", &[]),
        "x.toml:20 [profiles.quick]: problem.rank = 50 is not allowed; allowed: at most 30"
    );
    assert_eq!(
        message(GOOD, "quick", &["problem.rank=60"]),
        "x.toml with --set problem.rank=60: problem.rank = 60 is not allowed; allowed: at most 30"
    );
    assert_eq!(
        message(GOOD, "quick", &["widths=[1,0]"]),
        "x.toml with --set widths=[1,0]: widths.1 = 0 is not allowed; allowed: 1 or more"
    );
}

#[test]
fn a_bad_set_is_named_as_typed() {
    assert_eq!(
        message(GOOD, "quick", &["problem.rank=many"]),
        "x.toml with --set problem.rank=many: problem.rank = \"many\" is not allowed; allowed: a whole number, not negative"
    );
    assert_eq!(
        message(GOOD, "quick", &["problem.depht=3"]),
        "x.toml with --set problem.depht=3: unknown key problem.depht; allowed here: rank, kind"
    );
    assert_eq!(
        message(GOOD, "quick", &["seed.x=3"]),
        "x.toml with --set seed.x=3: seed = a table is not allowed; allowed: a whole number, not negative"
    );
    for broken in ["seed", "=3", "a..b=3", "seed=", "widths=[1,", "kind=\"full"] {
        let text = message(GOOD, "quick", &[broken]);
        assert!(text.starts_with(&format!("--set {broken}: expected key=value")), "{text}");
    }
}

#[test]
fn a_set_beyond_a_list_names_its_length() {
    assert_eq!(
        message(GOOD, "paper", &["widths.7=3"]),
        "x.toml with --set widths.7=3: there is no widths.7: the list widths has 2 elements, counted from 0"
    );
    assert_eq!(
        message(GOOD, "quick", &["widths.1=3"]),
        "x.toml with --set widths.1=3: there is no widths.1: the list widths has 1 element, counted from 0"
    );
    assert_eq!(
        message(GOOD, "quick", &["cases.2.epsilon=3"]),
        "x.toml with --set cases.2.epsilon=3: there is no cases.2: the list cases has 2 elements, counted from 0"
    );
}

#[test]
fn stored_settings_are_read_back_and_their_mistakes_located() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("toy.meta.toml");
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let prefix = format!("{}/", directory.path().display());
        load_stored::<Settings>(&path).map_err(|error| error.to_string().replace(&prefix, ""))
    };
    let settings = load_text(GOOD, "smoke", &["trials=7"]).unwrap();
    let stored = format!("profile = \"smoke\"\n[settings]\n{}", toml::to_string(&settings).unwrap());
    let stored = stored.replace("[problem", "[settings.problem").replace("[[cases", "[[settings.cases");
    assert_eq!(read(&stored), Ok(settings));
    assert_eq!(
        read("profile = \"smoke\"\n"),
        Err("toy.meta.toml: the key settings is missing; allowed: a table".into())
    );
    assert_eq!(read("settings = 1\n"), Err("toy.meta.toml:1: settings = 1 is not allowed; allowed: a table".into()));
    let message = read(&stored.replace("seed = 1", "sed = 1")).unwrap_err();
    assert!(message.starts_with("toy.meta.toml:3: unknown key sed (did you mean seed?)"), "{message}");
    let message = read(&stored.replace("rank = 10", "rank = 31")).unwrap_err();
    assert!(message.ends_with("problem.rank = 31 is not allowed; allowed: at most 30"), "{message}");
    assert!(message.starts_with("toy.meta.toml:"), "{message}");
}

#[test]
fn the_value_of_a_set_cannot_smuggle_in_other_keys() {
    let text = message(GOOD, "quick", &["trials=2\nseed=9"]);
    assert!(text.contains("trials = \"2\\nseed=9\" is not allowed"), "{text}");
}

#[test]
fn malformed_toml_names_the_line() {
    let text = message(&GOOD.replace("rank = 10", "rank = = 10"), "paper", &[]);
    assert!(text.starts_with("x.toml:6: not valid TOML: "), "{text}");
    let text = message(&GOOD.replace("trials = 5", "seed = 5"), "paper", &[]);
    assert!(text.starts_with("x.toml:2: not valid TOML: duplicate key: seed = 5"), "{text}");
}

#[test]
fn profiles_must_be_tables() {
    assert_eq!(message("profiles = 3\n", "quick", &[]), "x.toml:1: profiles = 3 is not allowed; allowed: a table");
    assert_eq!(
        message("[profiles]\nquick = 3\n", "quick", &[]),
        "x.toml:2: profiles.quick = 3 is not allowed; allowed: a table"
    );
}

#[test]
fn an_unknown_profile_lists_the_known_ones() {
    assert_eq!(message(GOOD, "fast", &[]), "x.toml: there is no profile fast; known: paper, quick, smoke");
}

#[test]
fn a_missing_or_unreadable_file_is_named() {
    let missing = load::<Settings>(Path::new("nowhere/x.toml"), "quick", &[]).unwrap_err().to_string();
    assert!(missing.starts_with("nowhere/x.toml: no such file; run from the repository root"), "{missing}");
    let directory = tempfile::tempdir().unwrap();
    let unreadable = load::<Settings>(directory.path(), "quick", &[]).unwrap_err();
    assert!(matches!(unreadable, SettingsError::Unreadable { .. }), "{unreadable}");
    assert!(unreadable.to_string().starts_with("cannot read "), "{unreadable}");
    let file = directory.path().join("x.toml");
    std::fs::write(&file, b"seed = 1\n\n# \xff\n").unwrap();
    let latin = load::<Settings>(&file, "quick", &[]).unwrap_err();
    let chain = format!("{:#}", anyhow::Error::from(latin));
    assert!(chain.ends_with("x.toml: its line 3 is not UTF-8"), "{chain}");
}
