//! The order in which the entries of a block are read: band by band of its lines, tile by tile, line by line.

use super::entries::Lines;
use super::parallel::share;
use std::ops::Range;

/// In a tile, the entries of a line are a multiple of this, but for its last ones: the kernels take so many together, or a part of it.
const GROUP: usize = 8;

/// The entries of a block in one orientation: band of lines by band of lines, in it tile by tile (the entries on one band of the
/// other side, and some of the next ones to fill up groups), in it line by line. A task reads all of it from one end of its band to the
/// other.
#[derive(Debug, Clone)]
pub(super) struct Order {
    lines: Range<usize>,
    others: Range<usize>,
    pub line_bands: usize,
    pub other_bands: usize,
    /// Doubles from one packed column of the other side to the next.
    pub width: usize,
    /// Where each tile starts; one more than there are tiles.
    pub tile_start: Vec<usize>,
    /// Entries of each line of each tile.
    pub count: Vec<u32>,
    /// Where the packed column of each entry begins, in doubles from that of the tile's first one.
    pub offset: Vec<u16>,
}

impl Order {
    /// The order of the entries of `all` where `lines` and `others` meet, for packed columns of `width` doubles, and for each of its
    /// entries the position in `all`.
    pub fn new(
        all: &Lines,
        (lines, others): (Range<usize>, Range<usize>),
        (line_bands, other_bands): (usize, usize),
        width: usize,
    ) -> (Self, Vec<u32>) {
        let inside = |line: usize| {
            let (start, end) = (all.start[line], all.start[line + 1]);
            let before =
                |bound: usize| start + all.index[start..end].partition_point(|&other| (other as usize) < bound);
            before(others.start)..before(others.end)
        };
        let inside: Vec<_> = lines.clone().map(inside).collect();
        let entries = inside.iter().map(Range::len).sum();
        let mut order = Self {
            lines: lines.clone(),
            others,
            line_bands,
            other_bands,
            width,
            tile_start: vec![0],
            count: Vec::with_capacity(lines.len() * other_bands),
            offset: Vec::with_capacity(entries),
        };
        let mut places = Vec::with_capacity(entries);
        let mut next: Vec<_> = inside.iter().map(|inside| inside.start).collect();
        for band in 0..line_bands {
            for tile in 0..other_bands {
                let others = order.tile(tile);
                for line in order.band(band) {
                    let line = line - lines.start;
                    let (from, of_line) = (next[line], &inside[line]);
                    let rest = &all.index[from..of_line.end];
                    let count = in_groups(rest, from - of_line.start, &others, width);
                    let offset = |&other: &u32| offset(other, others.start, width).expect("a tile is narrow");
                    order.offset.extend(rest[..count].iter().map(offset));
                    order.count.push(count as u32);
                    places.extend((from..from + count).map(|place| place as u32));
                    next[line] += count;
                }
                order.tile_start.push(order.offset.len());
            }
        }
        assert_eq!(order.offset.len(), entries, "every entry is in a tile");
        (order, places)
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.offset.len()
    }

    /// The other side.
    pub fn others(&self) -> Range<usize> {
        self.others.clone()
    }

    /// The lines of a band.
    pub fn band(&self, band: usize) -> Range<usize> {
        part(&self.lines, self.line_bands, band)
    }

    /// The band of the other side that a tile is on.
    pub fn tile(&self, tile: usize) -> Range<usize> {
        part(&self.others, self.other_bands, tile)
    }

    /// Where the counts of a band's tiles start, one tile after the other.
    pub fn counts_of(&self, band: usize) -> usize {
        (self.band(band).start - self.lines.start) * self.other_bands
    }

    /// The entries of a band of lines.
    pub fn entries_of(&self, band: usize) -> Range<usize> {
        let tile = band * self.other_bands;
        self.tile_start[tile]..self.tile_start[tile + self.other_bands]
    }
}

/// The `index`-th of `parts` nearly equal parts of a range.
fn part(range: &Range<usize>, parts: usize, index: usize) -> Range<usize> {
    let part = share(range.len(), parts, index);
    range.start + part.start..range.start + part.end
}

/// How many of the entries left in a line belong to the tile on `others`, after `taken` in the tiles before: those in it, and some of
/// the next ones to fill up a group, if 16 bits reach them.
fn in_groups(rest: &[u32], taken: usize, others: &Range<usize>, width: usize) -> usize {
    let inside = rest.partition_point(|&other| (other as usize) < others.end);
    let filled = ((taken + inside).next_multiple_of(GROUP) - taken).min(rest.len());
    (inside..filled).find(|&i| offset(rest[i], others.start, width).is_none()).unwrap_or(filled)
}

/// Doubles from the packed column `first` to the column `other`.
fn offset(other: u32, first: usize, width: usize) -> Option<u16> {
    ((other as usize - first) * width).try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twenty entries on the band 100..200, then four on the next.
    fn line() -> Vec<u32> {
        (0..20).map(|i| 100 + 5 * i).chain([200, 210, 220, 60_000]).collect()
    }

    #[test]
    fn a_tile_takes_the_next_entries_up_to_a_whole_group() {
        assert_eq!(in_groups(&line(), 0, &(100..200), 16), 23, "20 inside, 24 wanted, the last out of reach");
        assert_eq!(in_groups(&line(), 0, &(100..200), 1), 24, "the last within reach of 16 bits");
        assert_eq!(in_groups(&line(), 4, &(100..200), 16), 20, "a whole group already");
        assert_eq!(in_groups(&line(), 5, &(100..200), 16), 23, "25 taken with those before, 32 wanted");
        assert_eq!(in_groups(&line()[..20], 0, &(100..200), 16), 20, "no more in the line");
        assert_eq!(in_groups(&line()[20..], 8, &(100..200), 16), 0, "none inside, none wanted");
        assert_eq!(in_groups(&[], 3, &(100..200), 16), 0);
    }
}
