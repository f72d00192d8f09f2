//! Turns outlines and strokes into rows of pixels, so that a translucent stroke covers each pixel once however it crosses itself.

/// A position in pixels, y downwards.
pub(crate) type Point = (f64, f64);

/// Pixels `start..end` of row `y`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    pub y: i32,
    pub start: i32,
    pub end: i32,
}

/// Intervals collected per pixel row, then merged into spans.
struct Rows {
    top: i32,
    rows: Vec<Vec<(f64, f64)>>,
    width: f64,
}

impl Rows {
    /// Rows between the heights `low` and `high`, cut to an image of `size` pixels.
    fn new(low: f64, high: f64, size: (u32, u32)) -> Self {
        let top = (low.floor().max(0.0)) as i32;
        let bottom = (high.ceil().min(f64::from(size.1))) as i32;
        let rows = vec![Vec::new(); (bottom - top).max(0) as usize];
        Self { top, rows, width: f64::from(size.0) }
    }

    /// The rows whose pixel centres lie between the heights `low` and `high`.
    fn centres(&self, low: f64, high: f64) -> std::ops::Range<usize> {
        let top = f64::from(self.top);
        let clamp = |row: f64| (row - top).clamp(0.0, self.rows.len() as f64) as usize;
        clamp((low - 0.5).ceil())..clamp((high - 0.5).ceil())
    }

    fn height(&self, row: usize) -> f64 {
        f64::from(self.top) + row as f64 + 0.5
    }

    /// Pixels whose centres lie in the union of each row's intervals.
    fn merge(mut self) -> Vec<Span> {
        let mut spans = Vec::new();
        for (row, intervals) in self.rows.iter_mut().enumerate() {
            intervals.sort_by(|a, b| a.0.total_cmp(&b.0));
            let mut open: Option<Span> = None;
            for &(from, to) in intervals.iter() {
                let column = |x: f64| (x.clamp(0.0, self.width) - 0.5).ceil() as i32;
                let (start, end) = (column(from), column(to));
                match &mut open {
                    _ if start >= end => {}
                    Some(span) if start <= span.end => span.end = span.end.max(end),
                    _ => spans.extend(open.replace(Span { y: self.top + row as i32, start, end })),
                }
            }
            spans.extend(open);
        }
        spans
    }
}

/// Where the segment `a`–`b` crosses the height `y`, which must lie between its ends.
fn crossing(a: Point, b: Point, y: f64) -> f64 {
    a.0 + (b.0 - a.0) * (y - a.1) / (b.1 - a.1)
}

/// The inside (even-odd) of a closed `outline`, in an image of `size` pixels.
pub(crate) fn fill(outline: &[Point], size: (u32, u32)) -> Vec<Span> {
    let low = outline.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
    let high = outline.iter().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
    if outline.len() < 3 || !(high - low).is_finite() {
        return Vec::new();
    }
    let mut rows = Rows::new(low, high, size);
    let mut crossings: Vec<Vec<f64>> = vec![Vec::new(); rows.rows.len()];
    for (index, &a) in outline.iter().enumerate() {
        let b = outline[(index + 1) % outline.len()];
        for row in rows.centres(a.1.min(b.1), a.1.max(b.1)) {
            crossings[row].push(crossing(a, b, rows.height(row)));
        }
    }
    for (row, mut xs) in crossings.into_iter().enumerate() {
        xs.sort_by(f64::total_cmp);
        rows.rows[row].extend(xs.chunks_exact(2).map(|pair| (pair[0], pair[1])));
    }
    rows.merge()
}

/// All pixels within `radius` of the polyline `points` (round joins and ends), in an image of `size` pixels.
pub(crate) fn stroke(points: &[Point], radius: f64, size: (u32, u32)) -> Vec<Span> {
    let low = points.iter().map(|p| p.1).fold(f64::INFINITY, f64::min) - radius;
    let high = points.iter().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max) + radius;
    if points.is_empty() || !(high - low).is_finite() {
        return Vec::new();
    }
    let mut rows = Rows::new(low, high, size);
    let single = [points[0], points[0]];
    let segments = if points.len() == 1 { &single[..] } else { points };
    for pair in segments.windows(2) {
        capsule(&mut rows, pair[0], pair[1], radius);
    }
    rows.merge()
}

/// Adds, row by row, the interval covered by the points within `radius` of the segment `a`–`b` (convex: one interval a row).
fn capsule(rows: &mut Rows, a: Point, b: Point, radius: f64) {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length = dx.hypot(dy).max(1e-12);
    let (nx, ny) = (-dy / length * radius, dx / length * radius);
    let quad = [(a.0 + nx, a.1 + ny), (b.0 + nx, b.1 + ny), (b.0 - nx, b.1 - ny), (a.0 - nx, a.1 - ny)];
    for row in rows.centres(a.1.min(b.1) - radius, a.1.max(b.1) + radius) {
        let y = rows.height(row);
        let mut interval = (f64::INFINITY, f64::NEG_INFINITY);
        let mut widen = |x: f64| interval = (interval.0.min(x), interval.1.max(x));
        for centre in [a, b] {
            let reach = radius * radius - (y - centre.1).powi(2);
            if reach >= 0.0 {
                widen(centre.0 - reach.sqrt());
                widen(centre.0 + reach.sqrt());
            }
        }
        for side in 0..4 {
            let (p, q) = (quad[side], quad[(side + 1) % 4]);
            if (p.1 <= y) != (q.1 <= y) {
                widen(crossing(p, q, y));
            }
        }
        if interval.0 < interval.1 {
            rows.rows[row].push(interval);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(spans: &[Span]) -> i32 {
        spans.iter().map(|span| span.end - span.start).sum()
    }

    #[test]
    fn a_square_fills_exactly_its_pixels() {
        let spans = fill(&[(2.0, 3.0), (7.0, 3.0), (7.0, 8.0), (2.0, 8.0)], (20, 20));
        assert_eq!(area(&spans), 25);
        assert!(spans.iter().all(|s| (s.start, s.end) == (2, 7) && (3..8).contains(&s.y)));
    }

    #[test]
    fn neighbours_share_no_pixel_and_leave_none() {
        let left = fill(&[(0.0, 0.0), (6.3, 0.0), (3.7, 10.0), (0.0, 10.0)], (10, 10));
        let right = fill(&[(6.3, 0.0), (10.0, 0.0), (10.0, 10.0), (3.7, 10.0)], (10, 10));
        assert_eq!(area(&left) + area(&right), 100);
    }

    #[test]
    fn a_stroke_that_runs_back_over_itself_covers_each_pixel_once() {
        let once = stroke(&[(5.0, 5.0), (25.0, 9.0)], 2.0, (40, 20));
        let twice = stroke(&[(5.0, 5.0), (25.0, 9.0), (5.0, 5.0)], 2.0, (40, 20));
        assert_eq!(once, twice);
        let expected = 4.0 * 20.0_f64.hypot(4.0) + std::f64::consts::PI * 4.0;
        assert!((f64::from(area(&once)) - expected).abs() < 6.0, "{} against {expected}", area(&once));
    }

    #[test]
    fn nothing_leaves_the_image() {
        let spans = stroke(&[(-50.0, -50.0), (500.0, 300.0)], 7.0, (40, 20));
        assert!(!spans.is_empty());
        assert!(spans.iter().all(|s| s.start >= 0 && s.end <= 40 && (0..20).contains(&s.y)));
    }
}
