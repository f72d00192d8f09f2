//! Every method: the gradient of its parameters against central differences, its initial `ΔW`, what it refuses; compressed
//! adapters against NumPy and against `dynamics`.

use adaptation::adapter::{
    Adalora, Compressed, DeepLora, FirstGradient, Lora, RowBlock, SineLora, Width, ZeroFactor, compressed_bases,
};
use adaptation::method::{Place, Recipe};
use adaptation::{
    Adapter, AdapterError, Adapters, Applied, AppliedGradient, Form, Group, Method, Parameter, Real, Site,
};
use dynamics::random::{Generator, gaussian, stream};
use dynamics::{DeepFactorization, LossForm, Objective, Observed, Target};
use faer::{Mat, MatRef, Par};
use serde::Deserialize;

const LORA: Method = Method::Lora(Lora { rank: 3, zero: ZeroFactor::Output });
const LORA_INPUT: Method = Method::Lora(Lora { rank: 3, zero: ZeroFactor::Input });
const ADALORA: Method = Method::Adalora(Adalora {
    initial_rank: 3,
    target_rank: 2,
    alpha: 5.0,
    orthogonality: 0.2,
    warmup: 0.1,
    final_phase: 0.3,
    interval: 1,
    beta1: 0.85,
    beta2: 0.85,
});
const SINE: Method = Method::SineLora(SineLora { rank: 3, frequency: 20.0 });

fn deep(depth: usize, init_scale: f64) -> Method {
    Method::DeepLora(DeepLora { rank: Width::Narrow(3), depth, init_scale })
}

fn full_width(depth: usize, init_scale: f64) -> Method {
    Method::DeepLora(DeepLora { rank: Width::Full, depth, init_scale })
}

fn compressed(init_scale: f64) -> Method {
    Method::Compressed(Compressed { rank: 4, depth: 3, init_scale, discrepant_step: 0.01 })
}

/// Every method, with init scales at which no gradient vanishes.
fn methods() -> Vec<Method> {
    let deep = [deep(3, 0.7), deep(5, 0.7), full_width(3, 0.7), full_width(4, 0.7), compressed(0.7)];
    [LORA, LORA_INPUT].into_iter().chain(deep).chain([SINE, ADALORA]).collect()
}

fn rng(purpose: &str) -> Generator {
    stream(1, &["tests", purpose])
}

/// Tokens of a step: so many that what is of full width is multiplied out, and so few that it is not.
const MANY: usize = 10_000;
const FEW: usize = 1;

/// What an adapter is made for, without a gradient.
fn place<T: Real>(site: Site, shape: (usize, usize)) -> Place<'static, T> {
    Place { site, shape, gradient: None, tokens: MANY, matrices: 2 }
}

/// An adapter on a weight of the given shape; compressed ones from a random gradient.
fn build(method: Method, shape: (usize, usize)) -> Box<dyn Adapter<f64>> {
    build_for(method, Site::Query(0), shape, MANY)
}

fn build_for(method: Method, site: Site, shape: (usize, usize), tokens: usize) -> Box<dyn Adapter<f64>> {
    let gradient = gaussian(shape.0, shape.1, &mut rng("first batch"));
    let rows = rows_of(&gradient, 0..shape.0);
    let of = |site: Site| {
        if site.is_embedding() { FirstGradient::Rows(&rows) } else { FirstGradient::Dense(gradient.as_ref()) }
    };
    let place = Place { gradient: Some(of(site)), tokens, ..place(site, shape) };
    method.build(&place, &mut rng("adapter")).unwrap()
}

/// Some rows of a matrix.
fn rows_of(matrix: &Mat<f64>, rows: impl Iterator<Item = usize> + Clone) -> RowBlock<f64> {
    let mut block = RowBlock::zeros(matrix.nrows(), matrix.ncols());
    block.keep(rows.clone());
    rows.for_each(|row| block.add(row, &matrix.row(row).iter().copied().collect::<Vec<_>>()));
    block
}

/// The gradient of a parameter as its value is kept.
fn gradient_as_kept(parameter: &Parameter<f64>) -> Mat<f64> {
    let gradient = parameter.matrix_gradient();
    if parameter.touched.is_some() { gradient.transpose().to_owned() } else { gradient }
}

fn delta(adapter: &dyn Adapter<f64>) -> Mat<f64> {
    match adapter.applied() {
        Applied::Factored { left, right } => left * right,
        Applied::Merged(delta) => delta.to_owned(),
    }
}

fn dot(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    (0..a.ncols()).map(|j| (0..a.nrows()).map(|i| a[(i, j)] * b[(i, j)]).sum::<f64>()).sum()
}

/// A linear function of what is applied, plus the penalty; `direction` is its gradient with respect to what is applied.
fn value(adapter: &dyn Adapter<f64>, direction: &AppliedGradient<f64>) -> f64 {
    let linear = match (adapter.applied(), direction) {
        (Applied::Factored { left, right }, AppliedGradient::Factored { left: of_left, right: of_right }) => {
            dot(left, of_left.as_ref()) + dot(right, of_right.as_ref())
        }
        (Applied::Factored { left, right }, AppliedGradient::FactoredRows { left: of_left, right: of_right }) => {
            dot(left, of_left.to_dense().as_ref()) + dot(right, of_right.as_ref())
        }
        (Applied::Merged(delta), AppliedGradient::Merged(of_delta)) => dot(delta, of_delta.as_ref()),
        _ => panic!("the form never changes"),
    };
    linear + adapter.penalty()
}

fn random_direction(adapter: &dyn Adapter<f64>) -> AppliedGradient<f64> {
    let mut rng = rng("direction");
    match AppliedGradient::<f64>::zeros(adapter.form(), adapter.shape()) {
        AppliedGradient::Factored { left, right } => AppliedGradient::Factored {
            left: gaussian(left.nrows(), left.ncols(), &mut rng),
            right: gaussian(right.nrows(), right.ncols(), &mut rng),
        },
        AppliedGradient::Merged(delta) => AppliedGradient::Merged(gaussian(delta.nrows(), delta.ncols(), &mut rng)),
        AppliedGradient::FactoredRows { left, right } => AppliedGradient::FactoredRows {
            left: rows_of(&gaussian(left.shape().0, left.shape().1, &mut rng), [6, 0, 4].into_iter()),
            right: gaussian(right.nrows(), right.ncols(), &mut rng),
        },
        AppliedGradient::MergedRows(_) => panic!("of a probe only"),
    }
}

#[test]
fn gradients_equal_central_differences() {
    for method in methods() {
        let query = Site::Query(0);
        let mut cases = vec![(query, (7, 7), MANY), (query, (5, 9), MANY), (query, (9, 5), MANY), (query, (5, 9), FEW)];
        if method.takes_embeddings() {
            cases.extend([(Site::WordEmbeddings, (9, 5), MANY), (Site::WordEmbeddings, (7, 8), FEW)]);
        }
        for (site, shape, tokens) in cases {
            let mut adapter = build_for(method, site, shape, tokens);
            // Away from the initial zeros, where some gradients vanish.
            for parameter in adapter.parameters_mut() {
                let (rows, columns) = parameter.value.shape();
                parameter.value += gaussian(rows, columns, &mut rng(&parameter.name)) * faer::Scale(0.1);
            }
            adapter.refresh(Par::Seq);
            let direction = random_direction(&*adapter);
            adapter.pull_back(&direction, Par::Seq);
            let gradients: Vec<Mat<f64>> = adapter.parameters().iter().map(gradient_as_kept).collect();
            for (place, gradient) in gradients.iter().enumerate() {
                assert!(gradient.norm_max() > 1e-3, "{method:?}: a gradient of zero tests nothing");
                for (i, j) in (0..gradient.nrows()).flat_map(|i| (0..gradient.ncols()).map(move |j| (i, j))) {
                    let mut at = |step: f64| {
                        adapter.parameters_mut()[place].value[(i, j)] += step;
                        adapter.refresh(Par::Seq);
                        let value = value(&*adapter, &direction);
                        adapter.parameters_mut()[place].value[(i, j)] -= step;
                        value
                    };
                    let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
                    let distance = (difference - gradient[(i, j)]).abs();
                    let name = &adapter.parameters()[place].name;
                    assert!(
                        distance < 1e-7 * (1.0 + gradient.norm_max()),
                        "{method:?} on {site:?} {shape:?}, {name} at ({i}, {j}): {} against {difference}",
                        gradient[(i, j)]
                    );
                }
            }
        }
    }
}

/// A second pull-back replaces the gradients of the first.
#[test]
fn gradients_are_replaced() {
    for method in methods() {
        let mut adapter = build(method, (5, 9));
        let direction = random_direction(&*adapter);
        adapter.pull_back(&direction, Par::Seq);
        let first: Vec<_> = adapter.parameters().iter().map(|p| p.gradient.clone()).collect();
        adapter.pull_back(&direction, Par::Seq);
        for (parameter, first) in adapter.parameters().iter().zip(first) {
            assert_eq!(parameter.gradient, first, "{method:?}, {}", parameter.name);
        }
    }
}

/// Large enough for products to be split.
#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    for method in methods() {
        let shape = (192, 260);
        let run = |par: Par| {
            let first_batch = Mat::from_fn(shape.0, shape.1, |i, j| ((i * 7 + j * 3) % 11) as f32 - 5.0);
            let place =
                Place { gradient: Some(FirstGradient::Dense(first_batch.as_ref())), ..place(Site::Query(0), shape) };
            let mut adapter = method.build::<f32>(&place, &mut rng("adapter")).unwrap();
            for parameter in adapter.parameters_mut() {
                let (rows, columns) = parameter.value.shape();
                parameter.value += Mat::from_fn(rows, columns, |i, j| ((i * 5 + j) % 13) as f32 / 130.0);
            }
            adapter.refresh(par);
            let gradient = match adapter.applied() {
                Applied::Factored { left, right } => {
                    AppliedGradient::Factored { left: left.to_owned(), right: right.to_owned() }
                }
                Applied::Merged(delta) => AppliedGradient::Merged(delta.to_owned()),
            };
            adapter.pull_back(&gradient, par);
            let gradients: Vec<Mat<f32>> = adapter.parameters().iter().map(|p| p.gradient.clone()).collect();
            (adapter.penalty(), gradients)
        };
        assert_eq!(run(Par::Seq), run(Par::rayon(3)), "{method:?}");
    }
}

#[test]
fn shapes_and_forms_are_as_said() {
    for method in methods() {
        for shape in [(7, 7), (5, 9), (9, 5)] {
            let adapter = build(method, shape);
            assert_eq!(adapter.shape(), shape, "{method:?}");
            assert_eq!(delta(&*adapter).shape(), shape, "{method:?}");
        }
    }
}

#[test]
fn methods_that_start_at_zero() {
    for method in [LORA, LORA_INPUT, SINE, ADALORA] {
        assert_eq!(delta(&*build(method, (5, 9))).norm_max(), 0.0, "{method:?}");
    }
    let (input, output, site) = (ZeroFactor::Input, ZeroFactor::Output, Site::Query(0));
    for (site, zero, b_is_zero) in [
        (site, output, true),
        (site, input, false),
        (Site::WordEmbeddings, output, true),
        (Site::WordEmbeddings, input, true),
    ] {
        let lora = build_for(Method::Lora(Lora { rank: 100, zero }), site, (120, 110), MANY);
        let [a, b] = lora.parameters() else { panic!("A and B") };
        assert_eq!((a.matrix().shape(), b.matrix().shape()), ((100, 110), (120, 100)));
        let (zero, normal) = if b_is_zero { (b, a) } else { (a, b) };
        assert_eq!(zero.value.norm_max(), 0.0, "{site:?}, {}", zero.name);
        let variance = normal.value.squared_norm_l2() / (normal.value.nrows() * normal.value.ncols()) as f64;
        assert!((variance - 1.0).abs() < 0.05, "{} is standard normal: {variance}", normal.name);
    }
}

/// All singular values of every factor are ε, and of the product ε^L.
#[test]
fn deep_methods_start_at_scaled_orthogonal_factors() {
    for (method, depth) in [(deep(3, 0.1), 3), (deep(4, 0.1), 4), (full_width(3, 0.1), 3)] {
        for shape in [(12, 12), (5, 9), (9, 5)] {
            let adapter = build(method, shape);
            let singular = |matrix: &Mat<f64>| matrix.singular_values().unwrap();
            for parameter in adapter.parameters() {
                for value in singular(&parameter.value) {
                    assert!((value - 0.1).abs() < 1e-14, "{method:?}, {}: {value}", parameter.name);
                }
            }
            assert_eq!(adapter.parameters().len(), depth);
        }
        let norm = delta(&*build(method, (12, 12))).norm_l2();
        let rank = if method == full_width(3, 0.1) { 12.0f64 } else { 3.0 };
        assert!(norm <= 0.1f64.powi(depth as i32) * rank.sqrt() * (1.0 + 1e-12), "{method:?}: {norm}");
    }
}

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    m: usize,
    n: usize,
    rank: usize,
    init_scale: f64,
    factors: Vec<Vec<Vec<f64>>>,
    gradient: Vec<Vec<f64>>,
    left_projector: Vec<Vec<f64>>,
    right_projector: Vec<Vec<f64>>,
    left_right: Vec<Vec<f64>>,
    delta: Vec<Vec<f64>>,
}

fn matrix(rows: &[Vec<f64>]) -> Mat<f64> {
    Mat::from_fn(rows.len(), rows[0].len(), |i, j| rows[i][j])
}

fn assert_close(found: &Mat<f64>, expected: &Mat<f64>, tolerance: f64, what: &str) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    let distance = (found - expected).norm_max();
    assert!(distance < tolerance, "{what}: off by {distance:e}");
}

/// Singular vectors have arbitrary signs, so what is compared are projectors, `U Vᵀ` and the initial `ΔW`.
#[test]
fn compressed_bases_equal_numpys() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/compressed.json")).unwrap();
    let fixture: Cases = serde_json::from_str(&text).unwrap();
    for case in &fixture.cases {
        let scale = faer::Scale(1.0 / case.init_scale);
        let product = case.factors.iter().map(|w| matrix(w) * scale).reduce(|right, next| next * right).unwrap();
        let gradient = matrix(&case.gradient);
        let (u, v) = compressed_bases(gradient.as_ref(), product.as_ref(), case.rank / 2).unwrap();
        let what = format!("{} × {}", case.m, case.n);
        assert_eq!((u.shape(), v.shape()), ((case.m, case.rank), (case.n, case.rank)));
        assert_close(&(&u * u.transpose()), &matrix(&case.left_projector), 1e-12, &what);
        assert_close(&(&v * v.transpose()), &matrix(&case.right_projector), 1e-12, &what);
        assert_close(&(&u * v.transpose()), &matrix(&case.left_right), 1e-12, &what);
        let scale = faer::Scale(case.init_scale.powi(case.factors.len() as i32));
        let delta = &u * v.transpose() * scale;
        assert_close(&delta, &matrix(&case.delta), 1e-12 * case.init_scale.powi(3), &what);
    }
}

/// The compressed adapter is made from the full-width one of the same seed, and says so in U and V.
#[test]
fn compressed_is_the_twin_of_full_width() {
    for shape in [(12, 12), (6, 13), (13, 6)] {
        let gradient = gaussian(shape.0, shape.1, &mut rng("first batch"));
        let original = build(full_width(3, 0.1), shape);
        let twin = build(compressed(0.1), shape);
        let product = delta(&*original) * faer::Scale(1e3);
        let (u, v) = compressed_bases(gradient.as_ref(), product.as_ref(), 2).unwrap();
        let [first, .., last] = twin.parameters() else { panic!("V, W_1 … W_L, U") };
        assert_eq!((first.name.as_str(), last.name.as_str()), ("V", "U"));
        assert_eq!((first.group, last.group), (Group::Outer, Group::Outer));
        assert_close(&(&last.value * &first.value), &(&u * v.transpose()), 1e-12, "U Vᵀ");
        let inner = &twin.parameters()[1..4];
        assert!(
            inner.iter().all(|p| p.group == Group::Inner && p.value == Mat::<f64>::identity(4, 4) * faer::Scale(0.1))
        );
        assert_close(&delta(&*twin), &(&u * v.transpose() * faer::Scale(1e-3)), 1e-15, "initial ΔW");
    }
}

/// Where `ΔW` is square the construction is that of the matrix experiments.
#[test]
fn compressed_bases_equal_those_of_matrix_completion() {
    let d = 14;
    let original = build(full_width(3, 1e-2), (d, d));
    let factors = original.parameters().iter().map(|p| p.value.clone()).collect();
    let target = Target::gaussian(d, d, 3, &mut rng("target")).unwrap();
    let product = delta(&*original);
    let gradient = (&product - target.dense()) * faer::Scale(1.0 / (d * d) as f64);
    let objective = Objective::new(target, Observed::Full, LossForm::Mean).unwrap();
    let mut model = DeepFactorization::new(factors).unwrap();
    let expected = dynamics::compression::compress(&mut model, &objective, 2, 0.01, Par::Seq).unwrap();
    let (u, v) = compressed_bases(gradient.as_ref(), (product * faer::Scale(1e6)).as_ref(), 2).unwrap();
    assert_close(&(&u * v.transpose()), &(expected.left() * expected.right().transpose()), 1e-10, "U Vᵀ");
    assert_close(&(&v * v.transpose()), &(expected.right() * expected.right().transpose()), 1e-10, "V Vᵀ");
}

/// Of an embedding: the same as from the gradient as a whole matrix, also with fewer rows than singular vectors.
#[test]
fn compressed_embeddings_are_made_from_the_rows_of_the_batch() {
    let (shape, mut found) = ((40, 6), Vec::new());
    let gradient = gaussian(shape.0, shape.1, &mut rng("first batch"));
    let rows = rows_of(&gradient, [31, 2, 17, 9, 30].into_iter());
    let whole = rows.to_dense();
    for (site, gradient) in
        [(Site::WordEmbeddings, FirstGradient::Rows(&rows)), (Site::Query(0), FirstGradient::Dense(whole.as_ref()))]
    {
        let place = Place { gradient: Some(gradient), ..place(site, shape) };
        let twin = compressed(0.1).build(&place, &mut rng("adapter")).unwrap();
        let [v, .., u] = twin.parameters() else { panic!("V, W_1 … W_L, U") };
        assert_eq!((u.matrix().shape(), u.touched.is_some()), ((40, 4), site.is_embedding()));
        found.push([u.matrix() * &v.value, u.matrix() * u.matrix().transpose(), v.value.transpose() * &v.value]);
    }
    for (of_rows, of_whole) in found[0].iter().zip(&found[1]) {
        assert_close(of_rows, of_whole, 1e-11, "products of the bases");
    }
    let one = rows_of(&gradient, [31].into_iter());
    let place = Place { gradient: Some(FirstGradient::Rows(&one)), ..place(Site::WordEmbeddings, shape) };
    let twin = compressed(0.1).build::<f64>(&place, &mut rng("adapter")).unwrap();
    let u = twin.parameters().last().unwrap().matrix().to_owned();
    assert_close(&(u.transpose() * &u), &Mat::identity(4, 4), 1e-12, "U has orthonormal columns");
    let row = Mat::from_fn(40, 1, |i, _| f64::from(u8::from(i == 31)));
    assert_close(&(&u * (u.transpose() * &row)), &row, 1e-12, "the row of the gradient is spanned");
}

#[test]
fn the_gradient_compression_needs_must_be_there_and_say_something() {
    let make = |gradient: Option<Mat<f64>>| {
        let gradient = gradient.as_ref().map(|g| FirstGradient::Dense(g.as_ref()));
        compressed(0.1).build::<f64>(&Place { gradient, ..place(Site::Query(0), (8, 8)) }, &mut rng("adapter")).err()
    };
    assert!(compressed(0.1).needs_gradient() && !LORA.needs_gradient());
    assert!(matches!(make(None), Some(AdapterError::NoGradient { .. })));
    assert!(matches!(make(Some(Mat::zeros(8, 8))), Some(AdapterError::Gradient { norm: 0.0, .. })));
    assert!(matches!(make(Some(Mat::full(8, 8, f64::NAN))), Some(AdapterError::Gradient { .. })));
}

#[test]
fn embeddings_take_products_only() {
    for method in methods() {
        let built = method.build::<f64>(&place(Site::WordEmbeddings, (40, 8)), &mut rng("adapter"));
        match (method, built) {
            (Method::SineLora(_) | Method::Adalora(_), Err(AdapterError::Embedding { .. }))
            | (Method::Compressed(_), Err(AdapterError::NoGradient { .. })) => {}
            (Method::Lora(_) | Method::DeepLora(_), Ok(adapter)) => {
                assert!(matches!(adapter.form(), Form::FactoredRows { rank: 3 | 8 }), "{method:?}");
                assert!(adapter.parameters().last().unwrap().touched.is_some());
            }
            (method, built) => panic!("{method:?} on embeddings: {:?}", built.err()),
        }
    }
}

#[test]
fn ranks_above_the_weights_are_refused() {
    let built = LORA.build::<f64>(&place(Site::Pooler, (2, 9)), &mut rng("adapter"));
    let error = built.err().unwrap().to_string();
    assert_eq!(error, "pooler.dense: rank 3 is not allowed on a 2 × 9 weight; allowed: from 1 to 2");
}

/// AdaLoRA with one setting changed.
fn adalora(change: impl Fn(&mut Adalora)) -> Method {
    let mut settings = Adalora::of_rank(8);
    change(&mut settings);
    Method::Adalora(settings)
}

#[test]
fn settings_are_read_from_toml_and_checked() {
    #[derive(Deserialize)]
    struct Settings {
        method: Method,
    }
    let read = |text: &str| toml::from_str::<Settings>(text).map(|settings| settings.method);
    let full = read("method = { deep-lora = { rank = \"full\", depth = 3, init_scale = 1e-3 } }").unwrap();
    assert_eq!(full, full_width(3, 1e-3));
    let lora = read("method = { lora = { rank = 3, zero = \"input\" } }").unwrap();
    assert_eq!(lora, LORA_INPUT);
    let method = read("method = { deep-lora = { rank = 8, depth = 3, init_scale = 1e-3 } }").unwrap();
    assert_eq!(method, Method::DeepLora(DeepLora { rank: Width::Narrow(8), depth: 3, init_scale: 1e-3 }));
    assert_eq!((method.key(), method.label()), ("deep-lora", "Deep LoRA"));
    for text in [
        "method = { lora = { rank = 8, zero = \"input\", alpha = 16 } }",
        "method = { lora = {} }",
        "method = { lora = { rank = 8, zero = \"both\" } }",
        "method = { deep-lora = { rank = \"wide\", depth = 3, init_scale = 1e-3 } }",
        "method = { dora = { rank = 8 } }",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
    for (method, key, allowed) in [
        (Method::Lora(Lora { rank: 0, zero: ZeroFactor::Input }), "lora.rank", "an integer from 1"),
        (
            Method::DeepLora(DeepLora { rank: Width::Narrow(0), depth: 3, init_scale: 1e-3 }),
            "deep-lora.rank",
            "an integer from 1, or \"full\"",
        ),
        (deep(2, 1e-3), "deep-lora.depth", "an integer from 3"),
        (full_width(3, 0.0), "deep-lora.init_scale", "a number above 0"),
        (
            Method::Compressed(Compressed { rank: 5, depth: 3, init_scale: 1e-3, discrepant_step: 0.01 }),
            "compressed.rank",
            "an even integer from 2",
        ),
        (Method::SineLora(SineLora { rank: 1, frequency: f64::NAN }), "sine-lora.frequency", "a number above 0"),
        (adalora(|a| a.initial_rank = 0), "adalora.initial_rank", "an integer from 1"),
        (adalora(|a| a.target_rank = 13), "adalora.target_rank", "an integer from 1 to the initial rank (12)"),
        (adalora(|a| a.alpha = 0.0), "adalora.alpha", "a number above 0"),
        (adalora(|a| a.orthogonality = -1.0), "adalora.orthogonality", "a number from 0"),
        (adalora(|a| a.warmup = 1.0), "adalora.warmup", "a number in [0, 1)"),
        (adalora(|a| a.final_phase = 0.8), "adalora.final_phase", "a number above 0 and, with warmup (0.2), below 1"),
        (adalora(|a| a.final_phase = 0.0), "adalora.final_phase", "a number above 0 and, with warmup (0.2), below 1"),
        (adalora(|a| a.interval = 0), "adalora.interval", "an integer from 1"),
        (adalora(|a| a.beta1 = 0.0), "adalora.beta1", "a number in (0, 1)"),
        (adalora(|a| a.beta2 = f64::NAN), "adalora.beta2", "a number in (0, 1)"),
    ] {
        let invalid = method.check().unwrap_err();
        assert_eq!((invalid.key.as_str(), invalid.allowed.as_str()), (key, allowed));
    }
    assert!(methods().iter().all(|method| method.check().is_ok()));
}

/// The same seed gives a site the same adapter, whatever else is adapted; another seed or site another one.
#[test]
fn networks_of_adapters() {
    let shape = |site: Site| if matches!(site, Site::Intermediate(_)) { (9, 6) } else { (6, 6) };
    let draw = |sites: &[Site], seed| LORA.adapters::<f64>(sites, shape, |_| MANY, None, seed).unwrap();
    let first = |adapters: &Adapters<f64>, site| adapters.get(site).unwrap().parameters()[0].value.clone();
    let all = draw(&[Site::Pooler, Site::Query(1), Site::Intermediate(0), Site::Key(0)], 3);
    assert_eq!(all.sites().collect::<Vec<_>>(), [Site::Query(1), Site::Key(0), Site::Intermediate(0), Site::Pooler]);
    assert_eq!(first(&draw(&[Site::Key(0)], 3), Site::Key(0)), first(&all, Site::Key(0)));
    assert_ne!(first(&all, Site::Query(1)), first(&all, Site::Key(0)));
    assert_ne!(first(&draw(&[Site::Key(0)], 4), Site::Key(0)), first(&all, Site::Key(0)));
    assert_eq!(all.delta(Site::Intermediate(0)).unwrap().shape(), (9, 6));

    let mut probe = Adapters::<f64>::probe(&[Site::WordEmbeddings, Site::Query(0)], shape);
    assert!(matches!(probe.gradient(Site::WordEmbeddings), Some(AppliedGradient::MergedRows(_))));
    let (applied, gradient) = probe.applied_and_gradient(Site::Query(0)).unwrap();
    assert!(matches!(applied, Applied::Merged(zero) if zero.norm_max() == 0.0));
    *gradient = AppliedGradient::Merged(gaussian(6, 6, &mut rng("first batch")));
    assert!(compressed(0.1).adapters(&[Site::Query(0)], shape, |_| MANY, Some(&probe), 3).is_ok());
    assert!(compressed(0.1).adapters::<f64>(&[Site::Query(0)], shape, |_| MANY, None, 3).is_err());
}
