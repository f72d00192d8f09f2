//! JAX's random numbers, and what the authors of arXiv 2406.04112 drew with them, against values that JAX itself made
//! (`experiments/authors/authors-draw.json`).

use dynamics::Target;
use dynamics::random::jax::Key;
use faer::{Mat, MatRef};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Of normal numbers.
const NORMAL: f64 = 1e-14;
/// Of what a decomposition makes, relative to the largest entry or value.
const DECOMPOSED: f64 = 1e-10;

#[derive(Deserialize)]
struct Figure {
    size: usize,
    rank: usize,
    gaussian_first_row: Vec<f64>,
    target_first_row: Vec<f64>,
    target_last_row_end: Vec<f64>,
    target_singular_values: Vec<f64>,
    observed: Option<Observed>,
    networks: Vec<Network>,
}

#[derive(Deserialize)]
struct Observed {
    fraction: f64,
    count: usize,
    first_drawn: Vec<u32>,
    smallest: Vec<u32>,
    sha256_of_sorted_indices_as_u32_le: String,
}

#[derive(Deserialize)]
struct Network {
    depth: usize,
    width: usize,
    init_scale: f64,
    note: String,
    key: [u32; 2],
    first_entries: Vec<Vec<f64>>,
}

fn file() -> Value {
    serde_json::from_str(include_str!("../../../experiments/authors/authors-draw.json")).unwrap()
}

/// The primitive of this name, which is then gone: at the end none is left.
fn take<T: DeserializeOwned>(primitives: &mut Value, name: &str) -> T {
    serde_json::from_value(primitives.as_object_mut().unwrap().remove(name).expect(name)).unwrap()
}

fn figure(name: &str) -> Figure {
    serde_json::from_value(file()["figures"][name].clone()).unwrap()
}

fn assert_close(found: impl IntoIterator<Item = f64>, expected: &[f64], tolerance: f64, what: &str) {
    let found: Vec<f64> = found.into_iter().collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance, "{what}: {found:e} against {expected:e}");
    }
}

fn by_rows(matrix: &Mat<f64>) -> Vec<f64> {
    matrix.row_iter().flat_map(|row| row.iter().copied().collect::<Vec<_>>()).collect()
}

#[test]
fn every_primitive_is_jax_s() {
    let mut primitives = file()["primitives"].take();
    let p = &mut primitives;
    let zero = Key::new(0);
    let pairs = |keys: Vec<Key>| keys.into_iter().map(|key| key.0).collect::<Vec<_>>();
    assert_eq!(pairs(zero.split(2)), take::<Vec<[u32; 2]>>(p, "split(PRNGKey(0))"));
    assert_eq!(pairs(zero.split(3)), take::<Vec<[u32; 2]>>(p, "split(PRNGKey(0), 3)"));
    let texts: Vec<String> = zero.bits64(5).map(|bits| bits.to_string()).collect();
    assert_eq!(texts, take::<Vec<String>>(p, "bits64(PRNGKey(0), 5)"));
    assert_eq!(zero.bits32(5), take::<Vec<u32>>(p, "bits32(PRNGKey(0), 5)"));
    assert_eq!(zero.uniform(5).collect::<Vec<_>>(), take::<Vec<f64>>(p, "uniform(PRNGKey(0), 5)"));
    assert_eq!(zero.permutation(10), take::<Vec<u32>>(p, "permutation(PRNGKey(0), 10)"));
    assert_eq!(zero.choice(20, 6), take::<Vec<u32>>(p, "choice(PRNGKey(0), 20, 6 without replacement)"));
    for (key, rows, columns, name) in
        [(zero, 1, 5, "normal(PRNGKey(0), 5)"), (Key::new(42), 3, 3, "normal(PRNGKey(42), 3x3)")]
    {
        assert_close(by_rows(&key.normal(rows, columns)), &take::<Vec<f64>>(p, name), NORMAL, name);
    }
    let name = "orthogonal(PRNGKey(0), 3)";
    assert_close(by_rows(&zero.orthogonal(3)), &take::<Vec<f64>>(p, name), DECOMPOSED, name);
    assert!(primitives.as_object().unwrap().is_empty(), "not tested: {primitives}");
}

/// Targets, observed sets and the first factors of every network of figures that share the Gaussian matrix; the key of each
/// network is the file's. The first figure's rank is the largest.
fn check(names: &[&str]) {
    let figures: Vec<Figure> = names.iter().map(|name| figure(name)).collect();
    let size = figures[0].size;
    let mut key = Key::new(0);
    let gaussian = key.advance().normal(size, size);
    let target = Target::truncated(gaussian.as_ref(), figures[0].rank).unwrap();
    for (figure, name) in figures.iter().zip(names) {
        assert_close(gaussian.row(0).iter().take(4).copied(), &figure.gaussian_first_row, NORMAL, name);
        check_target(figure, &target, name);
        if let Some(observed) = &figure.observed {
            check_observed(observed, { key }.advance(), (size * size) as u32);
        }
        for network in &figure.networks {
            check_network(network, size);
        }
    }
}

fn check_target(figure: &Figure, larger: &Target, name: &str) {
    let basis = |vectors: MatRef<'_, f64>| vectors.subcols(0, figure.rank).to_owned();
    let values = larger.values()[..figure.rank].to_vec();
    let target = Target::from_factors(basis(larger.left()), values, basis(larger.right())).unwrap();
    let values = &figure.target_singular_values;
    assert_close(target.values().iter().copied(), values, DECOMPOSED * values[0], name);
    let dense = target.dense();
    let tolerance = DECOMPOSED * dense.norm_max();
    assert_close(dense.row(0).iter().take(4).copied(), &figure.target_first_row, tolerance, name);
    let end = (figure.size - 3..figure.size).map(|j| dense[(figure.size - 1, j)]);
    assert_close(end, &figure.target_last_row_end, tolerance, name);
}

fn check_observed(observed: &Observed, key: Key, entries: u32) {
    assert_eq!(observed.count, (observed.fraction * f64::from(entries)).floor() as usize);
    let mut drawn = key.choice(entries, observed.count);
    assert_eq!(drawn[..6], observed.first_drawn);
    drawn.sort_unstable();
    assert_eq!(drawn[..6], observed.smallest);
    let bytes: Vec<u8> = drawn.iter().flat_map(|index| index.to_le_bytes()).collect();
    let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, observed.sha256_of_sorted_indices_as_u32_le);
}

fn check_network(network: &Network, size: usize) {
    let side = |layer: usize| if layer == 0 || layer == network.depth { size } else { network.width };
    let shapes: Vec<_> = (0..network.depth).map(|layer| (side(layer + 1), side(layer))).collect();
    let factors = Key(network.key).factors(&shapes, network.init_scale);
    assert_eq!(factors.len(), network.first_entries.len());
    for (l, (factor, expected)) in factors.iter().zip(&network.first_entries).enumerate() {
        assert_eq!(factor.shape(), shapes[l]);
        let what = format!("{}, layer {}", network.note, l + 1);
        assert_close(factor.row(0).iter().take(4).copied(), expected, DECOMPOSED * factor.norm_max(), &what);
    }
}

#[test]
fn figure_1() {
    check(&["depth-width-sweep"]);
}

#[test]
fn figure_3() {
    check(&["svd-evolution"]);
}

#[test]
fn figures_4_to_6() {
    check(&["factorization", "completion", "compressed-vs-narrow"]);
}

#[test]
fn no_figure_is_missing() {
    let file = file();
    let names: Vec<_> = file["figures"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(names.len(), 5, "{names:?}");
}
