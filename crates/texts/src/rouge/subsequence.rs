//! Longest common subsequences, and their union over lines (section 3.2 of the ROUGE paper).

use std::collections::HashMap;

/// The length of the longest common subsequence.
pub(super) fn length(text: &[u32], reference: &[u32]) -> u64 {
    u64::from(Table::new(reference, text).at(reference.len(), text.len()))
}

/// Words of the reference that its lines share with the lines of the text, as rouge-score's `_summary_level_lcs` counts them:
/// of each line the union of its common subsequences with all lines of the text, no word more often than in the text.
pub(super) fn of_lines(text: &[Vec<u32>], reference: &[Vec<u32>]) -> u64 {
    let mut left: HashMap<u32, u32> = HashMap::new();
    for word in text.iter().flatten() {
        *left.entry(*word).or_default() += 1;
    }
    let mut taken = 0;
    for line in reference {
        let mut common = vec![false; line.len()];
        for other in text {
            Table::new(line, other).mark(line, other, &mut common);
        }
        for (word, _) in line.iter().zip(common).filter(|(_, common)| *common) {
            if let Some(count) = left.get_mut(word).filter(|count| **count > 0) {
                *count -= 1;
                taken += 1;
            }
        }
    }
    taken
}

/// The lengths for all pairs of prefixes.
struct Table {
    columns: usize,
    lengths: Vec<u32>,
}

impl Table {
    fn new(rows: &[u32], columns: &[u32]) -> Self {
        let width = columns.len() + 1;
        let mut lengths = vec![0; (rows.len() + 1) * width];
        for (i, row) in rows.iter().enumerate() {
            for (j, column) in columns.iter().enumerate() {
                lengths[(i + 1) * width + j + 1] = if row == column {
                    lengths[i * width + j] + 1
                } else {
                    lengths[i * width + j + 1].max(lengths[(i + 1) * width + j])
                };
            }
        }
        Self { columns: width, lengths }
    }

    fn at(&self, row: usize, column: usize) -> u32 {
        self.lengths[row * self.columns + column]
    }

    /// Marks the rows of one longest common subsequence: that which rouge-score's `_backtrack_norec` reads out.
    fn mark(&self, rows: &[u32], columns: &[u32], common: &mut [bool]) {
        let (mut i, mut j) = (rows.len(), columns.len());
        while i > 0 && j > 0 {
            if rows[i - 1] == columns[j - 1] {
                common[i - 1] = true;
                i -= 1;
                j -= 1;
            } else if self.at(i, j - 1) > self.at(i - 1, j) {
                j -= 1;
            } else {
                i -= 1;
            }
        }
    }
}
