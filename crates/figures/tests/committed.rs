//! The committed results are those that their runs wrote: each `NAME.meta.toml` has hash and number of rows of each table.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn every_committed_table_is_as_its_meta_says() {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results");
    for profile in ["paper", "base"] {
        check(&results.join(profile));
    }
}

fn check(directory: &Path) {
    let entries = fs::read_dir(directory).expect("committed results");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text"));
    let (metas, others): (Vec<String>, Vec<String>) = names.partition(|name| name.ends_with(".meta.toml"));
    let mut sealed = BTreeSet::new();
    for name in metas {
        let meta: toml::Table = fs::read_to_string(directory.join(&name)).expect(&name).parse().expect(&name);
        for (file, seal) in meta["tables"].as_table().expect(&name) {
            let bytes = fs::read(directory.join(file)).expect(file);
            assert_eq!(seal["blake3"].as_str(), Some(&*blake3::hash(&bytes).to_hex()), "{file}");
            let rows = csv::Reader::from_reader(bytes.as_slice()).into_byte_records().count();
            assert_eq!(seal["rows"].as_integer(), i64::try_from(rows).ok(), "{file}");
            assert!(sealed.insert(file.clone()), "{file} is of two runs");
        }
    }
    let tables: BTreeSet<String> =
        others.into_iter().filter(|name| name.ends_with(".csv") && !name.ends_with(".claims.csv")).collect();
    assert!(!tables.is_empty());
    assert_eq!(sealed, tables);
}
