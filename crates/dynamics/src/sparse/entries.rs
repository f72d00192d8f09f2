//! The set of observed entries, stored by rows and by columns.

use thiserror::Error;

/// Why a list of entries is not a set of observed entries.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ObservedEntriesError {
    /// An entry lies outside the matrix.
    #[error("observed entry ({row}, {column}) lies outside a {d_out} x {d_in} matrix")]
    OutOfRange {
        /// Row of the entry.
        row: usize,
        /// Column of the entry.
        column: usize,
        /// Rows of the matrix.
        d_out: usize,
        /// Columns of the matrix.
        d_in: usize,
    },
    /// An entry does not come strictly after its predecessor, row by row.
    #[error("observed entries must be sorted by row and column without repetition: ({row}, {column}) is out of place")]
    OutOfOrder {
        /// Row of the entry.
        row: usize,
        /// Column of the entry.
        column: usize,
    },
    /// Indices and positions are stored in 32 bits.
    #[error("a matrix side or the number of observed entries is 2^32 - 1 or more")]
    TooLarge,
}

/// One compressed orientation: for every line (row or column) the sorted indices of its entries on the other side.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    /// Where each line starts in `index`; one more than there are lines.
    pub start: Vec<usize>,
    /// Index on the other side, line by line.
    pub index: Vec<u32>,
}

impl Lines {
    pub fn lines(&self) -> usize {
        self.start.len() - 1
    }
}

/// The observed entries Ω of a `d_out × d_in` matrix, by rows (CSR) and by columns (CSC).
///
/// Values that belong to the entries (targets, residuals) are slices in CSR order: the order of [`iter`](Self::iter).
#[derive(Debug, Clone)]
pub struct ObservedEntries {
    d_out: usize,
    d_in: usize,
    pub(super) by_row: Lines,
    pub(super) by_column: Lines,
    /// For each entry of `by_column`, its position in CSR order.
    csr_position: Vec<u32>,
}

impl ObservedEntries {
    /// Takes the entries as `(row, column)`, sorted by row and then by column, without repetition.
    ///
    /// Rows and columns without any entry are allowed.
    ///
    /// # Errors
    /// An entry outside the matrix, out of order or repeated; 2³² − 1 or more rows, columns or entries.
    pub fn new(
        d_out: usize,
        d_in: usize,
        entries: impl IntoIterator<Item = (usize, usize)>,
    ) -> Result<Self, ObservedEntriesError> {
        check_sides(d_out, d_in)?;
        let (row_start, columns) = compress(d_out, d_in, entries)?;
        Self::from_compressed(d_out, d_in, row_start, columns)
    }

    /// Takes the entries row by row, without a list of pairs: `rows(i, columns)` appends the columns of row `i`, ascending
    /// and without repetition, to an empty list. `capacity` is the expected number of entries.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn by_rows(
        d_out: usize,
        d_in: usize,
        capacity: usize,
        mut rows: impl FnMut(usize, &mut Vec<u32>),
    ) -> Result<Self, ObservedEntriesError> {
        check_sides(d_out, d_in)?;
        let mut start = Vec::with_capacity(d_out + 1);
        start.push(0);
        let mut columns = Vec::with_capacity(capacity);
        let mut of_row = Vec::new();
        for row in 0..d_out {
            // A list of its own, so that nothing changes once it is checked: the kernels rely on the order.
            of_row.clear();
            rows(row, &mut of_row);
            check_row(row, &of_row, d_out, d_in)?;
            columns.extend_from_slice(&of_row);
            start.push(columns.len());
        }
        Self::from_compressed(d_out, d_in, start, columns)
    }

    fn from_compressed(
        d_out: usize,
        d_in: usize,
        row_start: Vec<usize>,
        columns: Vec<u32>,
    ) -> Result<Self, ObservedEntriesError> {
        if columns.len() >= u32::MAX as usize {
            return Err(ObservedEntriesError::TooLarge);
        }
        let (column_start, rows, csr_position) = transpose(d_in, &row_start, &columns);
        Ok(Self {
            d_out,
            d_in,
            by_row: Lines { start: row_start, index: columns },
            by_column: Lines { start: column_start, index: rows },
            csr_position,
        })
    }

    /// Rows of the matrix.
    pub fn d_out(&self) -> usize {
        self.d_out
    }

    /// Columns of the matrix.
    pub fn d_in(&self) -> usize {
        self.d_in
    }

    /// Number of observed entries, |Ω|.
    pub fn len(&self) -> usize {
        self.by_row.index.len()
    }

    /// Whether nothing is observed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether every entry is observed.
    pub fn is_full(&self) -> bool {
        self.len() == self.d_out * self.d_in
    }

    /// Observed fraction p = |Ω| / (d_out d_in); 0 for an empty matrix.
    pub fn fraction(&self) -> f64 {
        match self.d_out * self.d_in {
            0 => 0.0,
            all => self.len() as f64 / all as f64,
        }
    }

    /// Whether the entry is observed.
    pub fn contains(&self, row: usize, column: usize) -> bool {
        u32::try_from(column).is_ok_and(|column| self.columns_of(row).binary_search(&column).is_ok())
    }

    /// The entries as `(row, column)` in CSR order.
    pub fn iter(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        (0..self.d_out).flat_map(move |row| self.columns_of(row).iter().map(move |&column| (row, column as usize)))
    }

    /// Where each row starts in [`columns`](Self::columns); `d_out + 1` numbers.
    pub fn row_start(&self) -> &[usize] {
        &self.by_row.start
    }

    /// The values of the entries, given in CSR order, in CSC order.
    pub fn in_column_order(&self, values: &[f64]) -> Vec<f64> {
        assert_eq!(values.len(), self.len(), "number of values");
        self.csr_position.iter().map(|&position| values[position as usize]).collect()
    }

    /// Column of each entry, in CSR order.
    pub fn columns(&self) -> &[u32] {
        &self.by_row.index
    }

    /// Where each column starts in [`rows`](Self::rows) and [`csr_positions`](Self::csr_positions); `d_in + 1` numbers.
    pub fn column_start(&self) -> &[usize] {
        &self.by_column.start
    }

    /// Columns of the entries of row `i`, ascending.
    pub fn columns_of(&self, i: usize) -> &[u32] {
        &self.by_row.index[self.by_row.start[i]..self.by_row.start[i + 1]]
    }

    /// Rows of the entries of column `j`, ascending.
    pub fn rows_of(&self, j: usize) -> &[u32] {
        &self.by_column.index[self.by_column.start[j]..self.by_column.start[j + 1]]
    }

    /// Row of each entry, in CSC order.
    pub fn rows(&self) -> &[u32] {
        &self.by_column.index
    }

    /// Position in CSR order of each entry, in CSC order.
    pub fn csr_positions(&self) -> &[u32] {
        &self.csr_position
    }
}

/// Indices are 32-bit numbers.
fn check_sides(d_out: usize, d_in: usize) -> Result<(), ObservedEntriesError> {
    let limit = u32::MAX as usize;
    if d_out >= limit || d_in >= limit { Err(ObservedEntriesError::TooLarge) } else { Ok(()) }
}

/// The columns of one row: inside the matrix, ascending, none twice.
fn check_row(row: usize, columns: &[u32], d_out: usize, d_in: usize) -> Result<(), ObservedEntriesError> {
    if let Some(pair) = columns.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(ObservedEntriesError::OutOfOrder { row, column: pair[1] as usize });
    }
    match columns.last() {
        Some(&column) if column as usize >= d_in => {
            Err(ObservedEntriesError::OutOfRange { row, column: column as usize, d_out, d_in })
        }
        _ => Ok(()),
    }
}

/// Checks a sorted list and compresses it by rows.
fn compress(
    d_out: usize,
    d_in: usize,
    entries: impl IntoIterator<Item = (usize, usize)>,
) -> Result<(Vec<usize>, Vec<u32>), ObservedEntriesError> {
    let entries = entries.into_iter();
    let mut start = Vec::with_capacity(d_out + 1);
    start.push(0);
    let mut columns: Vec<u32> = Vec::with_capacity(entries.size_hint().0);
    for (row, column) in entries {
        if row >= d_out || column >= d_in {
            return Err(ObservedEntriesError::OutOfRange { row, column, d_out, d_in });
        }
        let current = start.len() - 1;
        let repeats = row == current
            && columns.len() > start[current]
            && columns.last().is_some_and(|&last| column <= last as usize);
        if row < current || repeats {
            return Err(ObservedEntriesError::OutOfOrder { row, column });
        }
        start.resize(row + 1, columns.len());
        columns.push(column as u32);
    }
    start.resize(d_out + 1, columns.len());
    Ok((start, columns))
}

/// Starts, rows and CSR positions of the same entries ordered by columns (a counting sort).
fn transpose(d_in: usize, row_start: &[usize], columns: &[u32]) -> (Vec<usize>, Vec<u32>, Vec<u32>) {
    let mut start = vec![0usize; d_in + 1];
    for &column in columns {
        start[column as usize + 1] += 1;
    }
    for column in 0..d_in {
        start[column + 1] += start[column];
    }
    let mut next = start.clone();
    let mut rows = vec![0u32; columns.len()];
    let mut positions = vec![0u32; columns.len()];
    for row in 0..row_start.len() - 1 {
        for position in row_start[row]..row_start[row + 1] {
            let slot = &mut next[columns[position] as usize];
            rows[*slot] = row as u32;
            positions[*slot] = position as u32;
            *slot += 1;
        }
    }
    (start, rows, positions)
}

/// A sparse matrix to look at: values at the entries of Ω, zero elsewhere; as it is, or transposed.
#[derive(Clone, Copy, Debug)]
pub struct SparseRef<'a> {
    pub(super) entries: &'a ObservedEntries,
    pub(super) values: &'a [f64],
    pub(super) transposed: bool,
}

impl<'a> SparseRef<'a> {
    /// The `d_out × d_in` matrix with `values` at `entries`, in CSR order.
    ///
    /// # Panics
    /// If there are not as many values as entries.
    pub fn new(entries: &'a ObservedEntries, values: &'a [f64]) -> Self {
        assert_eq!(values.len(), entries.len(), "number of values");
        Self { entries, values, transposed: false }
    }

    /// The transposed matrix.
    pub fn transpose(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }
}
