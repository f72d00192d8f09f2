//! Completing the user's own matrix: the example, from file to file, and the call behind it.

use std::fmt::Write;

use dynamics::random::{gaussian, stream};
use dynamics::{Completion, DynamicsError, Factorization, HeldOut, LossForm, Objective};
use faer::Par;
use rand::RngExt;

#[expect(dead_code, reason = "its main")]
#[path = "../examples/completion.rs"]
mod example;

/// Two fifths of a 60 × 40 matrix of rank 2, around 3, as a CSV with names; and its entries.
fn sample() -> (String, Vec<(usize, usize, f64)>) {
    let mut rng = stream(1, &["completion"]);
    let product = gaussian(60, 2, &mut rng) * gaussian(2, 40, &mut rng);
    let mut csv = String::from("user,film,stars\n");
    let mut entries = Vec::new();
    for (i, j) in (0..60).flat_map(|i| (0..40).map(move |j| (i, j))).filter(|_| rng.random_range(0..5) < 2) {
        writeln!(csv, "u{i},\"film, {j}\",{}", 3.0 + product[(i, j)]).unwrap();
        entries.push((i, j, product[(i, j)]));
    }
    (csv, entries)
}

/// Runs the example on this text; its errors and the predictions it wrote.
fn run(csv: &str, rank: usize) -> anyhow::Result<([f64; 2], String)> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).to_str().expect("a path in UTF-8").to_owned();
    std::fs::write(path("entries.csv"), csv)?;
    let errors = example::run(&path("entries.csv"), &path("predictions.csv"), rank)?;
    Ok((errors, std::fs::read_to_string(path("predictions.csv"))?))
}

#[test]
fn the_example_completes_a_table_of_names() {
    let (csv, entries) = sample();
    let ([error, mean], predictions) = run(&csv, 3).unwrap();
    assert!(error < 0.05 * mean && mean > 1.0, "held-out error {error}, of the mean {mean}");
    assert_eq!(predictions.lines().count(), 1 + 60 * 40 - entries.len(), "every missing entry, and the header");
    let known = format!("u{},\"film, {}\",", entries[5].0, entries[5].1);
    assert!(csv.contains(&known) && !predictions.contains(&known), "a known entry is predicted");
}

#[test]
fn the_example_says_what_is_wrong_with_a_table() {
    let (csv, _) = sample();
    let fourth = csv.lines().nth(3).unwrap().to_owned();
    let refusal = |csv: String, rank| format!("{:#}", run(&csv, rank).unwrap_err());
    for (line, words) in [
        ("u0,x", "line: 4"),
        ("u0,x,many", "line 4: \"u0xmany\" is not a row, a column and a number"),
        ("u0,x,NaN", "line 4: the value is NaN, not a finite number"),
        ("u0,x,inf", "line 4: the value is inf, not a finite number"),
    ] {
        let text = refusal(csv.replacen(&fourth, line, 1), 3);
        assert!(text.contains(words) && text.contains("entries.csv"), "{line}: {text}");
    }
    let text = refusal(format!("{csv}{fourth}\n"), 3);
    assert!(text.contains("is given already in line 4"), "{text}");
    let text = refusal(csv.clone(), 21);
    assert!(text.contains("rank guess 21 is not between 1 and half the shorter side of a 60 × 40 target"), "{text}");
    let text = refusal(csv.lines().take(5).collect::<Vec<_>>().join("\n"), 1);
    assert!(text.contains("takes 10 entries; there are 4"), "{text}");
}

#[test]
fn entries_in_any_order_make_an_objective() {
    let (_, entries) = sample();
    let refusal = |entries| Objective::of_entries((60, 40), entries, LossForm::Mean).unwrap_err();
    let with = |entry| entries.iter().copied().chain([entry]).collect::<Vec<_>>();
    let (row, column, value) = entries[7];
    assert_eq!(refusal(with((row, column, value + 1.0))), DynamicsError::Repeated { row, column });
    assert!(matches!(refusal(with((1, 2, f64::NAN))), DynamicsError::NotFinite { row: 1, column: 2, .. }));
    assert!(refusal(with((60, 2, 1.0))).to_string().contains("(60, 2) lies outside a 60 x 40 matrix"));
    assert!(matches!(refusal(Vec::new()), DynamicsError::ObservedCount { count: 0, .. }));

    let sorted = Objective::of_entries((60, 40), entries.clone(), LossForm::Mean).unwrap();
    let reversed = Objective::of_entries((60, 40), entries.into_iter().rev().collect(), LossForm::Mean).unwrap();
    assert_eq!(sorted.values(), reversed.values());
    let error = HeldOut::draw(&sorted, 10, &mut stream(1, &["held out"])).unwrap_err();
    assert_eq!(error, DynamicsError::UnknownTarget);
}

/// More than half of the entries: the dense kernel, of a target that is not known in full.
#[test]
fn most_entries_of_a_matrix() {
    let mut rng = stream(2, &["completion"]);
    let product = gaussian(30, 2, &mut rng) * gaussian(2, 30, &mut rng);
    let (mut known, mut missing) = (Vec::new(), Vec::new());
    for (i, j) in (0..30).flat_map(|i| (0..30).map(move |j| (i, j))) {
        if rng.random_range(0..10) < 7 { known.push((i, j, product[(i, j)])) } else { missing.push((i, j)) }
    }
    let objective = Objective::of_entries((30, 30), known, LossForm::Sum).unwrap();
    let model = Completion::of_rank(2).run(&objective, &mut rng, Par::Seq).unwrap();
    for (i, j) in missing {
        let (found, expected) = (model.entry(i, j), product[(i, j)]);
        assert!((found - expected).abs() < 1e-3, "({i}, {j}): {found} against {expected}");
    }
}

#[test]
fn zeros_cannot_be_completed() {
    let entries = (0..30).map(|i| (i, (7 * i) % 30, 0.0)).collect();
    let objective = Objective::of_entries((30, 30), entries, LossForm::Mean).unwrap();
    let error = Completion::of_rank(2).run(&objective, &mut stream(3, &["completion"]), Par::Seq).err().unwrap();
    assert!(error.to_string().contains("all observed entries are zero"), "{error}");
}
