//! The example `completion`, from file to file.

use std::fmt::Write;

use dynamics::random::{gaussian, stream};
use rand::RngExt;

#[expect(dead_code, reason = "its main")]
#[path = "../examples/completion.rs"]
mod program;

/// Two fifths of a 60 × 40 matrix of rank 2, around 3, as a CSV with names; and how many entries that is.
pub fn sample() -> (String, usize) {
    let mut rng = stream(1, &["completion"]);
    let product = gaussian(60, 2, &mut rng) * gaussian(2, 40, &mut rng);
    let mut csv = String::from("user,film,stars\n");
    for (i, j) in (0..60).flat_map(|i| (0..40).map(move |j| (i, j))).filter(|_| rng.random_range(0..5) < 2) {
        writeln!(csv, "u{i},\"film, {j}\",{}", 3.0 + product[(i, j)]).expect("a string");
    }
    let count = csv.lines().count() - 1;
    (csv, count)
}

#[test]
fn the_example_completes_a_table_of_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().expect("a path in UTF-8").to_owned();
    let (csv, count) = sample();
    std::fs::write(path("entries.csv"), &csv).unwrap();
    let [error, mean] = program::run(&path("entries.csv"), &path("predictions.csv"), 3).unwrap();
    assert!(error < 0.05 * mean && mean > 1.0, "held-out error {error}, of the mean {mean}");
    let predictions = std::fs::read_to_string(path("predictions.csv")).unwrap();
    assert_eq!(predictions.lines().count(), 1 + 60 * 40 - count, "every missing entry, and the header");
    let known = csv.lines().nth(5).unwrap().rsplit_once(',').unwrap().0;
    assert!(!predictions.contains(&format!("\n{known},")), "a known entry is predicted");
}
