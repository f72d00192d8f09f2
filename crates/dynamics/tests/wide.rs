//! The kernels on matrices too wide for a dense reference: against plain loops over some rows and columns.

use dynamics::kernel::Kernel;
use dynamics::random::{gaussian, stream};
use dynamics::sparse::{self, Evaluation, ObservedEntries, Simd, SparseRef};
use dynamics::{LossForm, Objective, Observed, Target};
use faer::{Mat, Par};

const SCALE: f64 = 0.7;

struct Case {
    objective: Objective,
    by_column: Vec<f64>,
    p: Mat<f64>,
    q: Mat<f64>,
}

struct Answer {
    squares: f64,
    dp: Mat<f64>,
    dq: Mat<f64>,
}

impl Case {
    fn new(d_out: usize, d_in: usize, count: usize, k: usize) -> Self {
        let mut rng = stream(1, &["wide"]);
        let target = Target::gaussian_factors(d_out, d_in, 2, &mut rng).unwrap();
        let observed = Observed::uniform_sparse(d_out, d_in, count, &mut rng).unwrap();
        let objective = Objective::new(target, observed, LossForm::Sum).unwrap();
        let (p, q) = (gaussian(k, d_out, &mut rng), gaussian(k, d_in, &mut rng));
        let by_column = entries(&objective).in_column_order(objective.values());
        Self { objective, by_column, p, q }
    }

    fn recomputed(&self, simd: Simd, par: Par) -> Answer {
        let mut answer = self.nothing();
        let (p, q) = (self.p.as_ref(), self.q.as_ref());
        let (dp, dq) = (Some(answer.dp.as_mut()), Some(answer.dq.as_mut()));
        let targets = (self.objective.values(), self.by_column.as_slice());
        let entries = entries(&self.objective);
        let evaluation = Evaluation { p, q, dp, dq, alpha: SCALE };
        answer.squares = sparse::recomputed_loss_and_gradients(evaluation, entries, targets, simd, par);
        answer
    }

    fn stored(&self, simd: Simd, par: Par) -> Answer {
        let mut answer = self.nothing();
        let (p, q) = (self.p.as_ref(), self.q.as_ref());
        let (dp, dq) = (Some(answer.dp.as_mut()), Some(answer.dq.as_mut()));
        let targets = SparseRef::new(entries(&self.objective), self.objective.values());
        let mut residual = vec![f64::NAN; self.objective.values().len()];
        let evaluation = Evaluation { p, q, dp, dq, alpha: SCALE };
        answer.squares = sparse::stored_loss_and_gradients(&mut residual, evaluation, targets, simd, par);
        answer
    }

    fn nothing(&self) -> Answer {
        let nan = |m: &Mat<f64>| Mat::from_fn(m.nrows(), m.ncols(), |_, _| f64::NAN);
        Answer { squares: f64::NAN, dp: nan(&self.p), dq: nan(&self.q) }
    }

    fn residual(&self, i: usize, j: usize) -> f64 {
        (0..self.p.nrows()).map(|l| self.p[(l, i)] * self.q[(l, j)]).sum::<f64>() - self.objective.target().entry(i, j)
    }

    /// The sum of squares, and some columns of both gradients, entry by entry.
    fn check(&self, what: &str, answer: &Answer) {
        let k = self.p.nrows();
        let (entries, magnitude) = (entries(&self.objective), 1e3);
        let squares: f64 = entries.iter().map(|(i, j)| self.residual(i, j).powi(2)).sum();
        assert!((answer.squares / squares - 1.0).abs() < 1e-11, "{what}: {} against {squares}", answer.squares);
        for i in some(entries.d_out()) {
            let columns = entries.columns_of(i);
            for l in 0..k {
                let term = |&j: &u32| SCALE * self.residual(i, j as usize) * self.q[(l, j as usize)];
                let expected: f64 = columns.iter().map(term).sum();
                assert!((answer.dp[(l, i)] - expected).abs() < 1e-13 * magnitude * k as f64, "{what}: row {i}");
            }
        }
        for j in some(entries.d_in()) {
            let rows = entries.rows_of(j);
            for l in 0..k {
                let term = |&i: &u32| SCALE * self.residual(i as usize, j) * self.p[(l, i as usize)];
                let expected: f64 = rows.iter().map(term).sum();
                assert!((answer.dq[(l, j)] - expected).abs() < 1e-13 * magnitude * k as f64, "{what}: column {j}");
            }
        }
    }
}

fn entries(objective: &Objective) -> &ObservedEntries {
    match objective.observed() {
        Observed::Entries(entries) => entries,
        _ => unreachable!("observed in part"),
    }
}

/// The first, the last, and about 200 more.
fn some(length: usize) -> impl Iterator<Item = usize> {
    (0..length).step_by(length.div_ceil(200)).chain([length - 1])
}

fn assert_same_bits(what: &str, a: &Answer, b: &Answer) {
    assert_eq!(a.squares.to_bits(), b.squares.to_bits(), "{what}");
    for (a, b) in [(&a.dp, &b.dp), (&a.dq, &b.dq)] {
        let bits =
            |m: &Mat<f64>| m.col_iter().flat_map(|c| c.iter().map(|x| x.to_bits()).collect::<Vec<_>>()).collect();
        let (a, b): (Vec<u64>, Vec<u64>) = (bits(a), bits(b));
        assert!(a == b, "{what}: other bits");
    }
}

#[test]
fn wide_kernels_agree_with_plain_loops_for_every_instruction_set() {
    for (d_out, d_in, count, k) in [
        (100_000, 100_000, 1_000_000, 8),
        (120_000, 100_000, 700_000, 10),
        (100_000, 300, 300_000, 16),
        (200, 100_000, 300_000, 3),
    ] {
        let case = Case::new(d_out, d_in, count, k);
        assert_eq!(Kernel::choose(case.objective.observed(), k), Kernel::Recomputed);
        for simd in Simd::available() {
            let what = format!("{d_out} × {d_in}, k = {k}, {simd:?}");
            for (name, compute) in
                [("recomputed", Case::recomputed as fn(&Case, Simd, Par) -> Answer), ("stored", Case::stored)]
            {
                let alone = compute(&case, simd, Par::Seq);
                case.check(&format!("{what}, {name}"), &alone);
                assert_same_bits(&what, &alone, &compute(&case, simd, Par::rayon(2)));
            }
        }
    }
}

/// Columns of two and of four vectors, and one that is too long for the kernels that compute residuals twice.
#[test]
fn longer_columns() {
    for k in [24, 32, 40] {
        let case = Case::new(20_000, 100_000, 500_000, k);
        let what = format!("k = {k}");
        case.check(&what, &case.stored(Simd::best(), Par::Seq));
        if Kernel::choose(case.objective.observed(), k) == Kernel::Recomputed {
            case.check(&what, &case.recomputed(Simd::best(), Par::Seq));
        }
    }
}

/// The objective takes the kernels for wide matrices by itself, and skips what is not wanted.
#[test]
fn an_objective_of_a_wide_target() {
    let case = Case::new(30_000, 40_000, 300_000, 8);
    let mut answer = case.nothing();
    let mut workspace = case.objective.workspace(8);
    let (p, q) = (case.p.as_ref(), case.q.as_ref());
    let mut evaluate = |left: bool, answer: &mut Answer| {
        let (dp, dq) = (left.then(|| answer.dp.as_mut()), Some(answer.dq.as_mut()));
        2.0 * case.objective.loss_and_gradients(p, q, dp, dq, &mut workspace, Par::rayon(2))
    };
    let alone = evaluate(false, &mut answer);
    assert!(answer.dp[(0, 0)].is_nan(), "not asked for");
    answer.squares = evaluate(true, &mut answer);
    assert!((alone / answer.squares - 1.0).abs() < 1e-12);
    let scale = |m: &Mat<f64>| m * faer::Scale(SCALE);
    let answer = Answer { squares: answer.squares, dp: scale(&answer.dp), dq: scale(&answer.dq) };
    case.check("objective", &answer);
}
