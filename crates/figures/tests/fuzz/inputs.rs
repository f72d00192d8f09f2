//! Small encoders and data in every form that is read.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

use super::case::{Case, repository};

/// How an encoder is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    /// `config.json`, `model.safetensors`, `tokenizer.json`.
    Whole,
    /// With `vocab.txt` in place of `tokenizer.json`.
    Vocabulary,
    /// With weights in two files and an index.
    Sharded,
    /// With weights of this type.
    Of(Dtype),
}

pub(super) const ENCODERS: [Form; 5] =
    [Form::Whole, Form::Vocabulary, Form::Sharded, Form::Of(Dtype::BF16), Form::Of(Dtype::F64)];

/// Tasks in each layout of their files.
pub(super) const TASKS: [&str; 6] = ["stsb", "cola", "qqp", "sst2", "mnli", "rte"];

/// Few-shot on the encoder and the data of a case.
pub(super) fn few_shot(case: &Case, task: &str) -> Vec<String> {
    let config = repository().join("experiments/few-shot.toml").to_string_lossy().into_owned();
    let mut arguments: Vec<String> =
        ["--config", &config, "--profile", "smoke", "--threads", "1"].map(str::to_owned).into();
    arguments.extend(["--data-dir".to_owned(), case.path("data").to_string_lossy().into_owned()]);
    let encoder = format!("sources.mine.path.directory={:?}", case.path("encoder").to_string_lossy());
    let task = format!("tasks=[{task:?}]");
    let settings = [&encoder, &task, "encoder.source=mine", "examples=[4]", "trials=1"];
    arguments.extend(settings.iter().flat_map(|text| ["--set".to_owned(), (*text).to_owned()]));
    arguments
}

/// The tiny encoder of the tests of `adaptation` in this form.
pub(super) fn write_encoder(to: &Path, form: Form) {
    let from = repository().join("crates/adaptation/tests/fixtures/tiny-bert");
    fs::create_dir(to).unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
    match form {
        Form::Whole => {}
        Form::Vocabulary => write_vocabulary(to),
        Form::Sharded => write_shards(to),
        Form::Of(dtype) => convert(to, dtype),
    }
}

fn write_vocabulary(to: &Path) {
    let tokenizer: Value = serde_json::from_slice(&fs::read(to.join("tokenizer.json")).unwrap()).unwrap();
    let vocabulary = tokenizer["model"]["vocab"].as_object().unwrap();
    let mut words: Vec<(&String, u64)> = vocabulary.iter().map(|(word, id)| (word, id.as_u64().unwrap())).collect();
    words.sort_by_key(|(_, id)| *id);
    let lines: Vec<&str> = words.into_iter().map(|(word, _)| word.as_str()).collect();
    fs::write(to.join("vocab.txt"), lines.join("\n")).unwrap();
    fs::write(to.join("tokenizer_config.json"), "{\n  \"do_lower_case\": true\n}\n").unwrap();
    fs::remove_file(to.join("tokenizer.json")).unwrap();
}

fn write_shards(to: &Path) {
    let bytes = fs::read(to.join("model.safetensors")).unwrap();
    let mut tensors: Vec<(String, TensorView)> = SafeTensors::deserialize(&bytes).unwrap().tensors();
    tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut index = serde_json::Map::new();
    for (number, part) in tensors.chunks(tensors.len().div_ceil(2)).enumerate() {
        let name = format!("model-{:05}-of-00002.safetensors", number + 1);
        part.iter().for_each(|(tensor, _)| drop(index.insert(tensor.clone(), json!(name))));
        fs::write(to.join(&name), safetensors::serialize(part.iter().cloned(), None).unwrap()).unwrap();
    }
    let index = json!({ "metadata": { "total_size": bytes.len() }, "weight_map": index });
    fs::write(to.join("model.safetensors.index.json"), serde_json::to_string_pretty(&index).unwrap()).unwrap();
    fs::remove_file(to.join("model.safetensors")).unwrap();
}

fn convert(to: &Path, dtype: Dtype) {
    let path = to.join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let converted = |view: &TensorView| -> Vec<u8> {
        let numbers = view.data().chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap()));
        match dtype {
            Dtype::BF16 => numbers.flat_map(|x| ((x.to_bits() >> 16) as u16).to_le_bytes()).collect(),
            Dtype::F64 => numbers.flat_map(|x| f64::from(x).to_le_bytes()).collect(),
            other => unreachable!("{other:?} is not among the forms"),
        }
    };
    let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
    let tensors: Vec<_> = tensors.iter().map(|(name, view)| (name, view.shape().to_vec(), converted(view))).collect();
    let views = tensors.iter().map(|(name, shape, data)| (name, TensorView::new(dtype, shape.clone(), data).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// A task in small, in the layout in which it is given out: 40 lines of training, 20 of dev. The files that may be mutated.
pub(super) fn write_task(to: &Path, task: &str) -> Vec<PathBuf> {
    let tsv = |folder: &str, header: &str, dev: &str, line: &dyn Fn(usize) -> String| {
        vec![write_lines(to, folder, "train.tsv", header, 40, line), write_lines(to, folder, dev, header, 20, line)]
    };
    match task {
        "stsb" => {
            let line = |i: usize| {
                format!("genre\tfile\tyear\t{i}\t{:.2}\t{}\t{}", (i % 11) as f64 / 2.0, text(i), text(i + 3))
            };
            let file = |name: &str, lines| write_lines(to, "stsb", name, "", lines, &line);
            vec![file("sts-train.csv", 40), file("sts-dev.csv", 20), file("sts-test.csv", 20)]
        }
        "cola" => tsv("CoLA", "", "dev.tsv", &|i| format!("gj04\t{}\t\t{}", i % 2, text(i))),
        "qqp" => {
            let header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n";
            tsv("QQP", header, "dev.tsv", &|i| format!("{i}\t{i}\t{i}\t{}\t{}\t{}", text(i), text(i + 1), i % 2))
        }
        "sst2" => tsv("SST-2", "sentence\tlabel\n", "dev.tsv", &|i| format!("{}\t{}", text(i), i % 2)),
        "mnli" => {
            let labels = ["entailment", "neutral", "contradiction"];
            let header = "index\tsentence1\tsentence2\tgold_label\n";
            tsv("MNLI", header, "dev_matched.tsv", &|i| format!("{i}\t{}\t{}\t{}", text(i), text(i + 2), labels[i % 3]))
        }
        "rte" => {
            fs::create_dir_all(to.join("rte")).unwrap();
            let splits = [("train", 40), ("validation", 20)];
            let write = |(split, rows)| {
                let path = to.join(format!("rte/{split}-00000-of-00001.parquet"));
                write_parquet(&path, rows);
                path
            };
            splits.map(write).into()
        }
        other => unreachable!("{other} is not among the tasks"),
    }
}

fn text(i: usize) -> String {
    let words = ["the film", "the movie", "a plot", "very good", "not bad"];
    format!("{} {} .", words[i % 5], words[(i * 3 + 1) % 5])
}

fn write_lines(
    to: &Path,
    folder: &str,
    name: &str,
    header: &str,
    lines: usize,
    line: &dyn Fn(usize) -> String,
) -> PathBuf {
    let mut content = header.to_owned();
    (0..lines).for_each(|i| writeln!(content, "{}", line(i)).unwrap());
    fs::create_dir_all(to.join(folder)).unwrap();
    let path = to.join(folder).join(name);
    fs::write(&path, content).unwrap();
    path
}

fn write_parquet(path: &Path, rows: i64) {
    let schema = "message schema { REQUIRED BYTE_ARRAY sentence1 (UTF8); REQUIRED BYTE_ARRAY sentence2 (UTF8); \
                  REQUIRED INT64 label; REQUIRED INT64 idx; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(fs::File::create(path).unwrap(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let texts =
        |from: i64| -> Vec<ByteArray> { (0..rows).map(|i| text((i + from) as usize).as_str().into()).collect() };
    for index in 0..4 {
        let mut column = group.next_column().unwrap().unwrap();
        match column.untyped() {
            ColumnWriter::ByteArrayColumnWriter(writer) => writer.write_batch(&texts(index), None, None),
            ColumnWriter::Int64ColumnWriter(writer) => {
                let values: Vec<i64> = (0..rows).map(|i| if index == 2 { i % 2 } else { i }).collect();
                writer.write_batch(&values, None, None)
            }
            _ => unreachable!("the schema has no other types"),
        }
        .unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}
