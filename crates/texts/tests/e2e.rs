//! Reading the CSVs, on made-up rows.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use texts::e2e::{Data, Meaning, Split, Version};

const ROW: &str = "mr,ref\nname[Ondine],Ondine is a pub.\n";

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(directory.path().join(name), content).unwrap();
    }
    directory
}

fn split(content: &str) -> Split {
    Split::read(&directory(&[("a.csv", content)]).path().join("a.csv")).unwrap()
}

/// What is said of a malformed file, without its directory.
fn refusal(content: &[u8]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.csv");
    fs::write(&file, content).unwrap();
    let error = Split::read(&file).unwrap_err().to_string();
    error.strip_prefix(&format!("{}", file.display())).expect("the file is named").to_owned()
}

#[test]
fn quotes_line_ends_and_breaks_inside_a_text_are_read() {
    let content = "mr,ref\r\n\"name[Ondine], area[city centre]\",\"A \"\"pub\"\", central.\nGood.\"\r\nname[Quay],Café Quay is £20.\r\n";
    let rows = split(content).rows;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].reference, "A \"pub\", central.\nGood.");
    assert!(rows[0].meaning.values("area").eq(["city centre"]));
    assert_eq!(rows[1].reference, "Café Quay is £20.");
    let marked = "\u{feff}\"ref\",mr\r\n\"A \"\"pub\"\".\",\"name[Ondine]\"\r\n\"Two.\",name[Quay]";
    let references: Vec<String> = split(marked).rows.into_iter().map(|row| row.reference).collect();
    assert_eq!(references, ["A \"pub\".", "Two."]);
}

#[test]
fn a_meaning_is_slots_in_order() {
    let text = "name[Alimentum], area[city centre], familyFriendly[no]";
    let meaning: Meaning = text.parse().unwrap();
    let slots: Vec<_> = meaning.slots().iter().map(|slot| (slot.name.as_str(), slot.value.as_str())).collect();
    assert_eq!(slots, [("name", "Alimentum"), ("area", "city centre"), ("familyFriendly", "no")]);
    assert_eq!(meaning.to_string(), text);
    assert_eq!(meaning.values("food").next(), None);
    assert_eq!("name[ Alimentum ],area[city centre],  familyFriendly[no]".parse(), Ok(meaning));
    for wrong in ["name", "name[]", "[a]", "name[a", "name[a] b[c]", "name[a],", "name[a[b]]", "name]a["] {
        let error = wrong.parse::<Meaning>().unwrap_err().to_string();
        assert!(error.contains("where a slot is expected"), "{wrong}: {error}");
    }
    assert_eq!(" ".parse::<Meaning>().unwrap_err().to_string(), "is empty");
}

/// The cleaned release has such rows: its meaning representations say all that the texts say.
#[test]
fn a_slot_may_have_several_values() {
    let text = "name[Ondine], eatType[coffee shop], eatType[pub], area[riverside]";
    let meaning: Meaning = text.parse().unwrap();
    assert!(meaning.values("eatType").eq(["coffee shop", "pub"]));
    assert_eq!(meaning.to_string(), text);
    let rows =
        split(&format!("mr,ref,fixed,orig_mr\n\"{text}\",Ondine is both.,1,\"name[Ondine], eatType[pub]\"\n")).rows;
    assert_eq!(rows[0].meaning, meaning);
}

#[test]
fn texts_of_a_meaning_are_grouped_in_order_of_first_appearance() {
    let groups = split("mr,ref\nname[B],1\nname[A],2\nname[B],3\n\"name[A],area[x]\",4\nname[A],2\n").groups();
    let groups: Vec<_> = groups.iter().map(|group| (group.meaning.to_string(), group.references.concat())).collect();
    let expected = [("name[B]", "13"), ("name[A]", "22"), ("name[A], area[x]", "4")];
    assert_eq!(groups, expected.map(|(meaning, references)| (meaning.to_owned(), references.to_owned())));
}

#[test]
fn files_are_found_whatever_their_letter_case_and_the_whole_training_set_first() {
    let part = directory(&[("TrainSet-Subset.csv", ROW), ("DEVSET.CSV", ROW), ("testset_w_refs.csv", ROW)]);
    let data = Data::read(part.path(), Version::Original).unwrap();
    assert_eq!(data.train.file, part.path().join("TrainSet-Subset.csv"));
    assert_eq!(data.dev.file, part.path().join("DEVSET.CSV"));
    fs::write(part.path().join("trainset.csv"), ROW).unwrap();
    assert_eq!(Data::read(part.path(), Version::Original).unwrap().train.file, part.path().join("trainset.csv"));
}

#[test]
fn each_version_has_its_own_files_and_the_test_split_need_not_be_there() {
    let cleaned = [("train-fixed.no-ol.csv", ROW), ("devel-fixed.no-ol.csv", ROW)];
    let both =
        directory(&[&cleaned[..], &[("trainset.csv", ROW), ("devset.csv", ROW), ("testset_w_refs.csv", ROW)]].concat());
    let data = Data::read(both.path(), Version::Cleaned).unwrap();
    assert_eq!((data.dev.file, data.test), (both.path().join("devel-fixed.no-ol.csv"), None));
    let data = Data::read(both.path(), Version::Original).unwrap();
    assert_eq!(data.test.unwrap().file, both.path().join("testset_w_refs.csv"));
    fs::write(both.path().join("test-fixed.csv"), "mr,ref\n").unwrap();
    assert!(Data::read(both.path(), Version::Cleaned).unwrap_err().to_string().ends_with("it has no rows"));
    let only = directory(&cleaned);
    let error = Data::read(only.path(), Version::Original).unwrap_err().to_string();
    assert!(error.contains("trainset.csv or trainset-subset.csv"), "{error}");
}

#[test]
fn absent_files_are_named() {
    let bare = directory(&[("devset.csv", ROW)]);
    let error = Data::read(bare.path(), Version::Original).unwrap_err().to_string();
    let expected = "there is no file trainset.csv or trainset-subset.csv (in any letter case)";
    assert_eq!(error, format!("{}: {expected}", bare.path().display()));
    assert_eq!(Data::read(Path::new("nowhere"), Version::Original).unwrap_err().to_string(), "cannot read nowhere");
}

#[test]
fn malformed_lines_are_refused_with_file_and_line() {
    let slot = "where a slot is expected, name[value], and \", \" between two of them";
    let after = |row: &str| refusal(format!("mr,ref\nname[A],\"two\nlines\"\n{row}").as_bytes());
    assert_eq!(after("name,x\n"), format!(", line 4: the meaning representation has \"name\" {slot}"));
    assert_eq!(after("name[A]\n"), ", line 4: it has another number of columns (1) than the header (2)");
    assert_eq!(after("name[A],b,c\n"), ", line 4: it has another number of columns (3) than the header (2)");
    assert_eq!(after("name[A], \n"), ", line 4: the text is empty");
    assert_eq!(
        after("name[A],\"x\nname[B],y\n"),
        ", line 4: a quotation mark is not closed; inside of a field it is written twice"
    );
    let windows = refusal(b"mr,ref\r\nname[A],\"two\r\nlines\"\r\nname[A]\r\n");
    assert_eq!(windows, ", line 4: it has another number of columns (1) than the header (2)");
    assert_eq!(refusal(b"mr,ref\nname[A],\xff\n"), ", line 2: it is not UTF-8");
    assert_eq!(refusal(b"mr,text\nname[A],b\n"), ": expected one column ref; its columns are: mr, text");
    assert_eq!(refusal(b"mr,ref,mr\nname[A],b,c\n"), ": expected one column mr; its columns are: mr, ref, mr");
    assert_eq!(refusal(b""), ": expected one column mr; its columns are: ");
    assert_eq!(refusal(b"mr,ref\n"), ": it has no rows");
}
