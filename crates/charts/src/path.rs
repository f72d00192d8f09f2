//! Polylines on their way to the page: cut at the panel's edge, thinned to what a page can show, broken into dashes.

use crate::raster::Point;

/// An upright rectangle in logical pixels, y downwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rect {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Rect {
    pub(crate) fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(crate) fn height(&self) -> f64 {
        self.bottom - self.top
    }

    pub(crate) fn corners(&self) -> Vec<Point> {
        vec![(self.left, self.top), (self.right, self.top), (self.right, self.bottom), (self.left, self.bottom)]
    }

    /// The rectangle larger by `margin` on every side.
    pub(crate) fn grown(&self, margin: f64) -> Rect {
        Rect {
            left: self.left - margin,
            top: self.top - margin,
            right: self.right + margin,
            bottom: self.bottom + margin,
        }
    }

    pub(crate) fn contains(&self, (x, y): Point) -> bool {
        (self.left..=self.right).contains(&x) && (self.top..=self.bottom).contains(&y)
    }

    /// Whether the two rectangles share an area.
    pub(crate) fn overlaps(&self, other: &Rect) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }

    /// The part of the segment `a`–`b` inside the rectangle (Liang and Barsky, 1984).
    pub(crate) fn clip_segment(&self, a: Point, b: Point) -> Option<(Point, Point)> {
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let (mut enter, mut leave) = (0f64, 1f64);
        let sides = [(-dx, a.0 - self.left), (dx, self.right - a.0), (-dy, a.1 - self.top), (dy, self.bottom - a.1)];
        for (slope, room) in sides {
            if slope == 0.0 {
                if room < 0.0 {
                    return None;
                }
            } else if slope < 0.0 {
                enter = enter.max(room / slope);
            } else {
                leave = leave.min(room / slope);
            }
        }
        let at = |share: f64| {
            if share == 1.0 { b } else { (a.0 + share * dx, a.1 + share * dy) }
        };
        (enter <= leave).then(|| (at(enter), at(leave)))
    }

    /// The parts of a polyline inside the rectangle. A single point stays a piece of one point.
    pub(crate) fn clip(&self, points: &[Point]) -> Vec<Vec<Point>> {
        if let [only] = points {
            return if self.contains(*only) { vec![vec![*only]] } else { Vec::new() };
        }
        let mut pieces: Vec<Vec<Point>> = Vec::new();
        for pair in points.windows(2) {
            let Some((from, to)) = self.clip_segment(pair[0], pair[1]) else {
                continue;
            };
            match pieces.last_mut() {
                Some(piece) if piece.last() == Some(&from) => piece.push(to),
                _ => pieces.push(vec![from, to]),
            }
        }
        pieces
    }

    /// The part of a closed outline inside the rectangle (Sutherland and Hodgman, 1974).
    pub(crate) fn clip_area(&self, outline: &[Point]) -> Vec<Point> {
        // A side is a distance, positive inside.
        let sides: [&dyn Fn(Point) -> f64; 4] =
            [&|p| p.0 - self.left, &|p| self.right - p.0, &|p| p.1 - self.top, &|p| self.bottom - p.1];
        let mut outline = outline.to_vec();
        for inside in sides {
            let mut cut = Vec::with_capacity(outline.len() + 4);
            for (index, &here) in outline.iter().enumerate() {
                let before = outline[(index + outline.len() - 1) % outline.len()];
                let (was, is) = (inside(before), inside(here));
                if (was < 0.0) != (is < 0.0) {
                    let share = was / (was - is);
                    cut.push((before.0 + share * (here.0 - before.0), before.1 + share * (here.1 - before.1)));
                }
                if is >= 0.0 {
                    cut.push(here);
                }
            }
            outline = cut;
        }
        outline
    }
}

/// Splits a sequence at its gaps (`None`).
pub(crate) fn runs<T>(points: impl IntoIterator<Item = Option<T>>) -> Vec<Vec<T>> {
    let mut runs = vec![Vec::new()];
    for point in points {
        match point {
            Some(point) => runs.last_mut().expect("there is always a last run").push(point),
            None if runs.last().is_some_and(|run| !run.is_empty()) => runs.push(Vec::new()),
            None => {}
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// Thins a left-to-right polyline to its first, lowest, highest and last point in each column `column` wide; keeps others whole.
pub(crate) fn thin(points: Vec<Point>, column: f64) -> Vec<Point> {
    let ascending = points.windows(2).all(|pair| pair[0].0 <= pair[1].0);
    let span = points.last().map_or(0.0, |last| last.0 - points[0].0);
    if !ascending || points.len() as f64 <= 4.0 * span / column {
        return points;
    }
    let mut kept = Vec::new();
    for group in points.chunk_by(|a, b| (a.0 / column).floor() == (b.0 / column).floor()) {
        let by_height = |a: &usize, b: &usize| group[*a].1.total_cmp(&group[*b].1);
        let lowest = (0..group.len()).max_by(by_height).unwrap_or(0);
        let highest = (0..group.len()).min_by(by_height).unwrap_or(0);
        let mut indices = [0, lowest.min(highest), lowest.max(highest), group.len() - 1].to_vec();
        indices.dedup();
        kept.extend(indices.into_iter().map(|index| group[index]));
    }
    kept
}

/// The drawn pieces of a polyline under a pattern of alternating (drawn, left out) lengths.
pub(crate) fn dashes(points: &[Point], drawn: f64, left_out: f64) -> Vec<Vec<Point>> {
    let mut pieces = Vec::new();
    let mut current: Vec<Point> = points.first().copied().into_iter().collect();
    let (mut on, mut remaining) = (true, drawn);
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        let mut length = (to.0 - from.0).hypot(to.1 - from.1);
        while length > remaining {
            let share = remaining / length;
            from = (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
            length -= remaining;
            if on {
                current.push(from);
                pieces.push(std::mem::take(&mut current));
            } else {
                current = vec![from];
            }
            on = !on;
            remaining = if on { drawn } else { left_out };
        }
        remaining -= length;
        if on {
            current.push(to);
        }
    }
    if on && current.len() > 1 {
        pieces.push(current);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAGE: Rect = Rect { left: 10.0, top: 20.0, right: 110.0, bottom: 80.0 };

    fn length(points: &[Point]) -> f64 {
        points.windows(2).map(|pair| (pair[1].0 - pair[0].0).hypot(pair[1].1 - pair[0].1)).sum()
    }

    #[test]
    fn a_line_through_the_page_is_cut_at_both_edges() {
        let pieces = PAGE.clip(&[(-90.0, 50.0), (210.0, 50.0)]);
        assert_eq!(pieces, vec![vec![(10.0, 50.0), (110.0, 50.0)]]);
    }

    #[test]
    fn a_line_that_leaves_and_returns_is_two_pieces() {
        let pieces = PAGE.clip(&[(20.0, 50.0), (20.0, 200.0), (60.0, 200.0), (60.0, 50.0)]);
        assert_eq!(pieces, vec![vec![(20.0, 50.0), (20.0, 80.0)], vec![(60.0, 80.0), (60.0, 50.0)]]);
    }

    #[test]
    fn an_area_is_cut_at_every_side() {
        let diamond = [(60.0, 0.0), (140.0, 50.0), (60.0, 100.0), (-20.0, 50.0)];
        let cut = PAGE.clip_area(&diamond);
        let page = PAGE.grown(1e-9);
        assert_eq!(cut.len(), 8);
        assert!(cut.iter().all(|&point| page.contains(point)));
        assert_eq!(PAGE.clip_area(&PAGE.grown(50.0).corners()).len(), 4);
        assert!(PAGE.clip_area(&[(0.0, 0.0), (5.0, 0.0), (5.0, 5.0)]).is_empty());
    }

    #[test]
    fn gaps_split_and_empty_runs_vanish() {
        let found = runs([None, Some(1), Some(2), None, None, Some(3), None]);
        assert_eq!(found, vec![vec![1, 2], vec![3]]);
    }

    #[test]
    fn thinning_keeps_every_peak() {
        let points: Vec<Point> =
            (0..100_000).map(|i| (f64::from(i) / 1000.0, if i == 54_321 { 7.0 } else { f64::from(i % 2) })).collect();
        let thinned = thin(points, 0.5);
        assert!(thinned.len() < 1000, "{}", thinned.len());
        assert!(thinned.contains(&(54.321, 7.0)));
        assert_eq!(thinned.last(), Some(&(99.999, 1.0)));
    }

    #[test]
    fn dashes_cover_their_share_of_the_line() {
        let line = [(0.0, 0.0), (30.0, 40.0), (30.0, 90.0)];
        let pieces = dashes(&line, 6.0, 4.0);
        assert_eq!(pieces.len(), 10);
        assert!(pieces.iter().all(|piece| (length(piece) - 6.0).abs() < 1e-9));
    }

    proptest! {
        #[test]
        fn nothing_clipped_lies_outside(points in prop::collection::vec((-300.0..300.0f64, -300.0..300.0f64), 1..40)) {
            let page = PAGE.grown(1e-6);
            for piece in PAGE.clip(&points) {
                prop_assert!(piece.iter().all(|&point| page.contains(point)));
            }
        }

        #[test]
        fn what_lies_inside_stays_whole(points in prop::collection::vec((11.0..109.0f64, 21.0..79.0f64), 2..40)) {
            prop_assert_eq!(PAGE.clip(&points), vec![points]);
        }
    }
}
