//! A matrix of which some entries are known, read from a file.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use dynamics::completion::Entry;

use crate::{Duplicates, EntriesError, Format, Lines, Names};

/// A matrix of which some entries are known.
#[derive(Clone, Debug)]
pub struct Table {
    /// What the file calls row, column and value.
    pub titles: [String; 3],
    /// The rows.
    pub rows: Names,
    /// The columns.
    pub columns: Names,
    /// The known entries, in the order of the file, each once.
    pub entries: Vec<Entry>,
    /// How many lines repeated an entry.
    pub repeated: usize,
}

impl Table {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, or a line is not an entry: its number is in the message.
    pub fn read(path: &Path, format: &Format) -> Result<Self, EntriesError> {
        let file = path.display().to_string();
        match File::open(path) {
            Ok(source) => Self::from_reader(BufReader::new(source), &file, format),
            Err(source) => Err(EntriesError::Unreadable { file, source }),
        }
    }

    /// Reads what is not a file; `file` is its name for messages.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_reader(source: impl Read, file: &str, format: &Format) -> Result<Self, EntriesError> {
        let mut lines = Lines::new(source, file, format, &format.columns)?;
        let titles = [0, 1, 2].map(|k| lines.titles()[k].clone());
        check_header(&titles, file, format)?;
        check_names(lines.header(), file, format)?;
        let (mut rows, mut columns) = (Names::new(format.index), Names::new(format.index));
        let mut entries = Vec::new();
        // Where an entry is in the list, in which line it came first, and how often it was given.
        let mut seen: HashMap<(usize, usize), (usize, u64, u32)> = HashMap::new();
        while let Some((line, texts)) = lines.next_line()? {
            let (row, column, value) =
                parse(&texts, &titles, &mut rows, &mut columns).map_err(|what| lines.wrong(line, what))?;
            match seen.entry((row, column)) {
                Slot::Vacant(slot) => {
                    slot.insert((entries.len(), line, 1));
                    entries.push((row, column, value));
                }
                Slot::Occupied(mut slot) => {
                    let (place, first, times) = slot.get_mut();
                    *times += 1;
                    let kept: &mut f64 = &mut entries[*place].2;
                    match format.duplicates {
                        Duplicates::Last => *kept = value,
                        Duplicates::Mean => *kept += (value - *kept) / f64::from(*times),
                        Duplicates::Refuse => {
                            let (row, column, first) = (rows.name(row), columns.name(column), *first);
                            let what = format!("row {row:?}, column {column:?} is given already in line {first}");
                            return Err(lines.wrong(line, what));
                        }
                    }
                }
            }
        }
        if entries.is_empty() {
            let what = format!("it has no entries (header lines: {})", format.header_lines);
            return Err(EntriesError::File { file: file.to_owned(), what });
        }
        let repeated = seen.values().map(|(_, _, times)| *times as usize - 1).sum();
        Ok(Self { titles, rows, columns, entries, repeated })
    }

    /// Rows and columns of the matrix.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows.len(), self.columns.len())
    }
}

/// Whether the header is one: taken for a header, an entry would be lost.
fn check_header(titles: &[String; 3], file: &str, format: &Format) -> Result<(), EntriesError> {
    let value = &titles[2];
    if format.header_lines == 0 || value.parse::<f64>().is_err() {
        return Ok(());
    }
    let what = format!(
        "the value's column is called {value:?}, a number. If this line is no header, say so (--header-lines 0, header_lines = 0); \
         if it is one, give the column a name"
    );
    Err(EntriesError::Line { file: file.to_owned(), line: 1, what })
}

/// Refuses a column without a name among the first three of more: pandas writes its index there, unasked.
fn check_names(header: &[String], file: &str, format: &Format) -> Result<(), EntriesError> {
    let first = header.iter().take(3).position(String::is_empty);
    let Some(place) = first.filter(|_| format.reads_the_first() && header.len() > 3) else { return Ok(()) };
    let what = format!(
        "column {} has no name (an index that pandas wrote?), and the header has {}: {}. Say which are row, column and value \
         (--columns, columns)",
        place + 1,
        header.len(),
        header.join(", ")
    );
    Err(EntriesError::Line { file: file.to_owned(), line: 1, what })
}

/// An entry; what is wrong with it, if it is none.
fn parse(texts: &[&str], titles: &[String; 3], rows: &mut Names, columns: &mut Names) -> Result<Entry, String> {
    let [row, column, value] = texts else { unreachable!("three columns are read") };
    let wrong = |k: usize, text: &str, allowed: &str| format!("{} is {text:?}, not {allowed}", titles[k]);
    if let Some(k) = [row, column].iter().position(|text| text.is_empty()) {
        return Err(format!("{} is empty", titles[k]));
    }
    let comma = if value.contains(',') { "a number (decimals have a point)" } else { "a number" };
    let number: f64 = value.parse().map_err(|_| wrong(2, value, comma))?;
    if !number.is_finite() {
        return Err(wrong(2, value, "a finite number"));
    }
    let i = rows.number(row).map_err(|allowed| wrong(0, row, &allowed))?;
    let j = columns.number(column).map_err(|allowed| wrong(1, column, &allowed))?;
    Ok((i, j, number))
}
