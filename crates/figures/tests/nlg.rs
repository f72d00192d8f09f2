//! Generation through the real binary, on a decoder and data of the user's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sources::Sha256;

use crate::server::{COMMIT, Server};

const TRAIN: &str = "mr,ref\n\
    \"name[Quay], food[Thai]\",Quay has Thai food.\n\
    \"name[Quay], food[Greek]\",Quay has Greek food.\n\
    \"name[Oak], food[Thai]\",\"Oak, a Thai place.\"\n\
    \"name[A name that goes on and on and on, further than any name should go]\",Long.\n";
const DEV: &str = "mr,ref\n\
    \"name[Elm], food[Thai]\",Elm has Thai food.\n\
    \"name[Elm], food[Thai]\",Thai food at Elm.\n\
    name[Elm],Elm is here.\n";

/// As the cleaned release has it: with more columns, and all values that the texts say.
const CLEANED_DEV: &str = "mr,ref,fixed,orig_mr\n\
    \"name[Elm], area[city centre], area[riverside]\",\"Elm is by the river, in the city centre.\",1,name[Elm]\n\
    name[Elm],Elm is here.,0,name[Elm]\n";

/// A directory with data in `data/e2e`.
struct Setup(tempfile::TempDir);

impl Setup {
    fn new(files: &[(&str, &str)]) -> Self {
        let setup = Self(tempfile::tempdir().expect("a directory"));
        fs::create_dir_all(setup.path("data/e2e")).expect("a directory");
        for (name, content) in files {
            fs::write(setup.path("data/e2e").join(name), content).expect("data");
        }
        setup
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// An experiment's binary with this command line, from the repository.
    fn command(&self, binary: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary);
        command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
        command.arg("--results").arg(self.path("results")).arg("--figures").arg(self.path("figures")).args(arguments);
        command.env("COMPRESSIBLE_DYNAMICS_CACHE", self.path("cache"));
        command
    }

    /// `nlg`, tiny, on the decoder of the tests and the data.
    fn nlg(&self, settings: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_nlg"), &["--profile", "smoke", "--trials", "1"]);
        let decoder = "sources.own.path.directory=\"crates/adaptation/tests/fixtures/tiny-llama\"";
        let own = [decoder, "models=[\"own\"]", "examples=4", "data.most_tokens=40", "methods.names=[\"lora\"]"];
        for setting in own.iter().chain(settings) {
            command.args(["--set", setting]);
        }
        command.arg("--data-dir").arg(self.path("data"));
        command
    }

    fn table(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path("results/smoke").join(name)).expect("a table");
        text.lines().map(str::to_owned).collect()
    }
}

#[track_caller]
fn ended(command: &mut Command, code: i32) -> String {
    let output = command.output().expect("the binary starts");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

#[test]
fn texts_are_written_scored_and_shown_for_each_meaning_representation() {
    let setup = Setup::new(&[("trainset.csv", TRAIN), ("devset.csv", DEV)]);
    ended(&mut setup.nlg(&[]), 0);
    // Header, frozen model, one run; two meaning representations of one and two slots.
    let runs = setup.table("nlg.csv");
    assert_eq!(runs.len(), 3);
    assert!(runs[1].starts_with("own,original,frozen model,0,0,0,0,0.0,,,"), "{}", runs[1]);
    let counts: Vec<&str> = runs[2].split(',').collect();
    assert_eq!((counts[5], counts[11], counts[13]), ("4", "2", "3"), "{}", runs[2]);
    // Six scores, in two ways, of two runs.
    assert_eq!(setup.table("nlg.scores.csv").len(), 1 + 6 * 2 * 2);
    let texts = setup.table("nlg.texts.csv").join("\n");
    for writer in ["a person,Elm has Thai food.", "frozen model,", "LoRA,"] {
        assert!(texts.contains(&format!("\"name[Elm], food[Thai]\",{writer}")), "{writer}: {texts}");
    }
    let meta = fs::read_to_string(setup.path("results/smoke/nlg.meta.toml")).expect("the seal");
    for said in
        ["\"E2E, original, train\" = \"4 rows of trainset.csv\"", "\"rows of train too long for own\" = \"1 of 4\""]
    {
        assert!(meta.contains(said), "{said}: {meta}");
    }
    // The first two texts of dev belong together: one more meaning representation would need another row.
    ended(&mut setup.nlg(&["data.meanings=1"]), 0);
    assert_eq!(setup.table("nlg.csv")[1].split(',').nth(11), Some("1"));
}

/// The profile of the paper's model, on a tiny T5 from a hub and the cleaned release: its files, its claim, its checkpoints.
#[test]
fn the_papers_profile_takes_a_t5_from_the_hub() {
    let cleaned = [("train-fixed.no-ol.csv", TRAIN), ("devel-fixed.no-ol.csv", CLEANED_DEV)];
    let (setup, server) = (Setup::new(&cleaned), Server::start());
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../adaptation/tests/fixtures/tiny-t5");
    let mut hub = format!("repository=\"google-t5/t5-base\", revision=\"{COMMIT}\", files={{");
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        let content = fs::read(fixture.join(name)).expect("a fixture");
        hub += &format!("\"{name}\"=\"{}\", ", Sha256::of(&content));
        server.state().files.insert(format!("google-t5/t5-base/{name}"), content);
    }
    let source = format!("sources.own.hub={{{hub}}}}}");
    let settings = [
        &source,
        "models=[\"own\"]",
        "examples=3",
        "smallest_side=8",
        "rank=2",
        "data.most_tokens=60",
        "methods.names=[\"lora\", \"compressed\"]",
        "training={steps=4, batch=2, record_every=2, validate_every=2, checkpoint_every=2}",
        "generation.most_tokens=6",
    ];
    let mut command =
        setup.command(env!("CARGO_BIN_EXE_nlg"), &["--profile", "t5-base", "--trials", "1", "--data-dir"]);
    command.arg(setup.path("data")).env("HF_ENDPOINT", &server.endpoint);
    for setting in settings {
        command.args(["--set", setting]);
    }
    ended(&mut command, 0);
    let runs = fs::read_to_string(setup.path("results/t5-base/nlg.csv")).expect("a table");
    // The frozen model and two runs.
    assert_eq!(runs.lines().count(), 4, "{runs}");
    assert!(runs.lines().skip(1).all(|run| run.starts_with("own,cleaned,")), "{runs}");
    // Once more without the hub: model and runs are kept.
    command.env("HF_ENDPOINT", "http://127.0.0.1:9");
    let requests = server.requests().len();
    ended(&mut command, 0);
    assert_eq!((server.requests().len(), requests >= 3), (requests, true));
}

#[test]
fn data_that_is_not_there_is_said_and_left_out_of_everything() {
    let setup = Setup::new(&[]);
    let quick = setup.command(env!("CARGO_BIN_EXE_nlg"), &[]);
    let said = ended(&mut { quick }, 2);
    assert!(said.contains("there is no E2E data") && said.contains("--data-dir DIR"), "{said}");
    let said = ended(&mut setup.nlg(&[]), 2);
    assert!(said.contains("trainset.csv or trainset-subset.csv"), "{said}");
    let list = Command::new(env!("CARGO_BIN_EXE_reproduce-all")).arg("--list").output().expect("the binary starts");
    let list = String::from_utf8(list.stdout).expect("text");
    let others = list.lines().filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "nlg");
    let skipped: Vec<&str> = others.flat_map(|name| ["--skip", name]).collect();
    let all = env!("CARGO_BIN_EXE_reproduce-all");
    let said = ended(&mut setup.command(all, &skipped), 0);
    assert!(said.contains("left out: nlg"), "{said}");
    assert!(!setup.path("results/quick/nlg.csv").exists());
    // Asked for by name, it is missed.
    ended(&mut setup.command(all, &["--only", "nlg"]), 2);
}

#[test]
fn what_does_not_fit_is_named() {
    let setup =
        Setup::new(&[("trainset.csv", TRAIN), ("devset.csv", DEV), ("devel-fixed.no-ol.csv", "mr,ref\nname,x\n")]);
    for (settings, expected) in [
        (vec!["data.most_tokens=60"], "data.most_tokens = 60 is not allowed; allowed: at most 48"),
        (
            vec!["generation.most_tokens=50", "data.most_tokens=48"],
            "at most 48: the 96 positions of own less data.most_tokens",
        ),
        (vec!["data.most_tokens=1"], "so many that a row of train is short enough for own"),
        (vec!["smallest_side=300"], "at most the sides of some 2-D weight of own"),
        (vec!["rank=13"], "from 1 to the smallest side of an adapted weight of own (12)"),
        (
            vec![
                "methods.names=[\"adalora\"]",
                "methods.adalora={initial_ranks=20, warmup=0.2, final_phase=0.4, interval=1, beta1=0.85, beta2=0.85, \
                 orthogonality=0.1}",
            ],
            "so small that the initial rank (40) is at most the smallest side of an adapted weight (12)",
        ),
        (vec!["models=[\"gpt\"]"], "smollm2-135m-instruct"),
        (vec!["scores.wordnet=\"nowhere\""], "scores.wordnet"),
        (vec!["data.version=\"cleaned\""], "train-fixed.no-ol.csv"),
    ] {
        let said = ended(&mut setup.nlg(&settings), 2);
        assert!(said.contains(expected), "{settings:?}: {said}");
        assert!(!setup.path("results/smoke/nlg.csv").exists());
    }
    fs::write(setup.path("data/e2e/devset.csv"), "mr,ref\nname[A],\"x\ny\"\nname,x\n").expect("data");
    let said = ended(&mut setup.nlg(&[]), 2);
    assert!(said.contains("devset.csv, line 4: the meaning representation"), "{said}");
}
