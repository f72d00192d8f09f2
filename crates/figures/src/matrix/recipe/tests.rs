//! Every network of the authors' draws has the key that JAX gave it.

use serde::Deserialize;
use serde_json::Value;

use super::*;

#[derive(Deserialize)]
struct Drawn {
    depth: usize,
    width: usize,
    note: String,
    key: [u32; 2],
    first_entries: Vec<[f64; 4]>,
}

/// The numbers in a note: "depth 2, width 10, trial 4".
fn numbers(note: &str) -> Vec<usize> {
    note.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

/// The network and the trial that a note names.
fn named(drawn: &Drawn) -> (Network, usize) {
    let (depth, init_scale) = (drawn.depth, 1e-3);
    match (drawn.note.as_str(), &numbers(&drawn.note)[..]) {
        (note, &[rank_guess, trial]) if note.starts_with("original behind compressed") => {
            (Network::Compressed { depth, init_scale, rank_guess, discrepant_step: 0.01 }, trial)
        }
        (_, numbers) => {
            let trial = numbers.last().copied().unwrap_or(0);
            (Network::Deep { depth, width: drawn.width, init_scale }, trial)
        }
    }
}

fn file() -> Value {
    serde_json::from_str(include_str!("../../../../../experiments/authors/authors-draw.json")).unwrap()
}

#[test]
fn keys_are_the_authors() {
    let file = file();
    let mut networks = 0;
    for recipe in &RECIPES {
        let figure = &file["figures"][recipe.experiment];
        assert_eq!(figure["size"], recipe.size);
        assert_eq!(figure["rank"], recipe.rank);
        let fraction = figure.get("observed").map_or(1.0, |observed| observed["fraction"].as_f64().unwrap());
        assert_eq!(fraction, recipe.observed_fraction);
        let drawn: Vec<Drawn> = serde_json::from_value(figure["networks"].clone()).unwrap();
        for drawn in &drawn {
            let (network, trial) = named(drawn);
            let place = recipe.place(&network, trial).unwrap();
            assert_eq!(key(place).0, drawn.key, "{}: {}", recipe.experiment, drawn.note);
        }
        networks += drawn.len();
    }
    assert_eq!(networks, 134);
}

#[test]
fn what_they_did_not_draw_has_no_key() {
    let deep = |depth, width| Network::Deep { depth, width, init_scale: 1e-3 };
    let place = |experiment, network: &Network, trial| Recipe::of(experiment).place(network, trial);
    assert_eq!(place("depth-width-sweep", &deep(3, 10), 5), None);
    assert_eq!(place("depth-width-sweep", &deep(4, 10), 0), None);
    assert_eq!(place("depth-width-sweep", &deep(2, 15), 0), None);
    assert_eq!(place("completion", &deep(3, 500), 0), None);
    assert_eq!(place("compressed-vs-narrow", &deep(3, 12), 0), None);
    let exact = Network::CompressedExact { depth: 3, init_scale: 1e-3 };
    let original = place("factorization", &deep(3, 1000), 0);
    assert_eq!((original, place("factorization", &exact, 0)), (Some(1), Some(1)));
    assert_eq!(place("compressed-vs-narrow", &exact, 0), None);
}

/// Of the smaller figures; the numbers of the larger ones are tested in `dynamics`.
#[test]
fn instances_and_factors_are_the_authors() {
    let (file, close) = (file(), |a: f64, b: f64, scale: f64| assert!((a - b).abs() < 1e-10 * scale, "{a:e}, {b:e}"));
    for recipe in RECIPES.iter().filter(|recipe| recipe.size <= 100) {
        let figure = &file["figures"][recipe.experiment];
        let (target, observed) = recipe.instance().unwrap();
        for (j, expected) in figure["target_first_row"].as_array().unwrap().iter().enumerate() {
            close(target.entry(0, j), expected.as_f64().unwrap(), target.values()[0]);
        }
        match (observed, figure.get("observed")) {
            (Observed::Full, None) => {}
            (Observed::Entries(entries), Some(drawn)) => {
                assert_eq!(entries.len() as u64, drawn["count"].as_u64().unwrap());
                let smallest: Vec<usize> = entries.iter().take(6).map(|(i, j)| i * recipe.size + j).collect();
                assert_eq!(serde_json::to_value(smallest).unwrap(), drawn["smallest"]);
            }
            other => panic!("{}: {other:?}", recipe.experiment),
        }
        let drawn: Vec<Drawn> = serde_json::from_value(figure["networks"].clone()).unwrap();
        for drawn in drawn.iter().step_by(7) {
            let (Network::Deep { depth, width, .. }, trial) = named(drawn) else { panic!("{}", drawn.note) };
            let init_scale = figure["networks"][0]["init_scale"].as_f64().unwrap();
            let model = recipe.factors(&Network::Deep { depth, width, init_scale }, trial).unwrap();
            for (l, expected) in drawn.first_entries.iter().enumerate() {
                let factor = model.factor(l + 1);
                (0..4).for_each(|j| close(factor[(0, j)], expected[j], init_scale));
            }
        }
    }
}
