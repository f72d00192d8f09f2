//! The lines of a delimited file, as texts of the wanted columns, with their numbers.

use std::io::{self, BufRead, BufReader, Read};

use csv::{ReaderBuilder, StringRecord, Trim};

use crate::{EntriesError, Format};

/// Reads a file line by line and takes the wanted columns out of each.
pub struct Lines<R> {
    file: String,
    /// Behind the header.
    reader: csv::Reader<BufReader<R>>,
    record: StringRecord,
    /// Where the wanted columns are, from 0.
    places: Vec<usize>,
    /// What the header calls them, or their numbers.
    titles: Vec<String>,
    /// What the header calls all columns; empty if there is none.
    header: Vec<String>,
    /// Lines of the header.
    above: u64,
    delimiter: char,
    /// The columns of the header, or of the first line without one: no line has more.
    width: usize,
}

impl<R: Read> Lines<R> {
    /// Reads the header. `wanted` are columns by name or number; `file` is the file's name, for messages.
    ///
    /// # Errors
    /// If the file cannot be read, its header lacks a column, or the delimiter is not one ASCII character.
    pub fn new(source: R, file: &str, format: &Format, wanted: &[String]) -> Result<Self, EntriesError> {
        let refuse = |what: String| EntriesError::File { file: file.to_owned(), what };
        let delimiter = u8::try_from(format.delimiter).ok().filter(u8::is_ascii);
        let allowed = || refuse(format!("the delimiter {:?} is not one ASCII character", format.delimiter));
        let mut builder = ReaderBuilder::new();
        builder.delimiter(delimiter.ok_or_else(allowed)?).has_headers(false).flexible(true).trim(Trim::All);
        let (mut source, mut above) = (BufReader::new(source), Vec::new());
        for _ in 0..format.header_lines {
            // Not by the reader of records, which passes over empty lines.
            let before = above.len();
            read_line(&mut source, &mut above)
                .map_err(|source| EntriesError::Unreadable { file: file.to_owned(), source })?;
            if above.len() == before {
                return Err(refuse(format!("it ends within its header (header lines: {})", format.header_lines)));
            }
        }
        let mut headers = Vec::new();
        for record in builder.from_reader(&above[..]).into_records() {
            headers.push(record.map_err(|error| unreadable(file, 0, error))?);
        }
        let (header, width) = (headers.first(), headers.iter().map(StringRecord::len).max().unwrap_or(0));
        let mut lines = Self {
            file: file.to_owned(),
            reader: builder.from_reader(source),
            record: StringRecord::new(),
            places: Vec::new(),
            titles: Vec::new(),
            header: header.into_iter().flatten().map(str::to_owned).collect(),
            above: format.header_lines as u64,
            delimiter: format.delimiter,
            width,
        };
        for column in wanted {
            let (place, title) = find(column, header)
                .map_err(|what| refuse(other_delimiter(header, format.delimiter).unwrap_or(what)))?;
            if let Some(other) = lines.places.iter().position(|other| *other == place) {
                return Err(refuse(format!("columns {:?} and {column:?} are the same", wanted[other])));
            }
            lines.places.push(place);
            lines.titles.push(title);
        }
        Ok(lines)
    }

    /// What the header calls the wanted columns; `column 3` if there is none.
    pub fn titles(&self) -> &[String] {
        &self.titles
    }

    /// What the header calls all columns, wanted or not; empty if there is no header.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The next line's number (from 1) and wanted columns; `None` at the end. Empty lines are passed over.
    ///
    /// # Errors
    /// If it cannot be read, is not UTF-8, has too few columns or more than the header (a decimal comma makes two of one), or
    /// if a wanted column goes over several lines, another one over lines that look like rows: a quote without its pair takes the
    /// lines up to the next quote away.
    pub fn next_line(&mut self) -> Result<Option<(u64, Vec<&str>)>, EntriesError> {
        if !self.advance()? {
            return Ok(None);
        }
        let line = self.above + self.record.position().map_or(0, csv::Position::line);
        if self.width == 0 {
            self.width = self.record.len();
        }
        if self.record.iter().skip(self.width).any(|text| !text.is_empty()) {
            let what = format!("it has {} columns, and the header or first line {}", self.record.len(), self.width);
            return Err(self
                .wrong(line, what + ". Write decimals with a point; put texts that contain the delimiter in quotes"));
        }
        let texts: Option<Vec<&str>> = self.places.iter().map(|place| self.record.get(*place)).collect();
        let needed = self.places.iter().max().map_or(0, |place| place + 1);
        let what = || format!("it has {} columns, and {needed} are needed", self.record.len());
        if let Some(text) = texts.iter().flatten().find(|text| text.contains(['\n', '\r'])) {
            let start: String = text.chars().take_while(|c| !['\n', '\r'].contains(c)).take(40).collect();
            return Err(
                self.wrong(line, format!("{start:?} goes on over several lines: is there a quote without its pair?"))
            );
        }
        if let Some(place) = self.record.iter().position(|text| self.swallows(text)) {
            let what = format!("its column {} goes on over lines that look like rows", place + 1);
            return Err(self.wrong(line, what + ": is there a quote without its pair?"));
        }
        texts.map(|texts| Some((line, texts))).ok_or_else(|| self.wrong(line, what()))
    }

    /// Whether a text, wanted or not, has a line with as many delimiters as a row: a quote without its pair took rows away.
    fn swallows(&self, text: &str) -> bool {
        let mut lines = text.split(['\n', '\r']).skip(1);
        self.width > 1 && lines.any(|line| line.matches(self.delimiter).count() + 1 >= self.width)
    }

    /// An error about a line.
    pub fn wrong(&self, line: u64, what: String) -> EntriesError {
        EntriesError::Line { file: self.file.clone(), line, what }
    }

    fn advance(&mut self) -> Result<bool, EntriesError> {
        self.reader.read_record(&mut self.record).map_err(|error| unreadable(&self.file, self.above, error))
    }
}

/// What keeps a record from being read; so many lines of the file lie above the reader's.
fn unreadable(file: &str, above: u64, error: csv::Error) -> EntriesError {
    let (file, line) = (file.to_owned(), above + error.position().map_or(0, csv::Position::line));
    match error.into_kind() {
        csv::ErrorKind::Io(source) => EntriesError::Unreadable { file, source },
        csv::ErrorKind::Utf8 { .. } => {
            EntriesError::Line { file, line, what: "it is not UTF-8; save the file as UTF-8".to_owned() }
        }
        other => EntriesError::Line { file, line, what: format!("{other:?}") },
    }
}

/// Appends a line with its end, which may be that of any system; nothing at the end of the file.
fn read_line(source: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let bytes = source.fill_buf()?;
        let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let (count, returned) = (end.map_or(bytes.len(), |end| end + 1), end.is_some_and(|end| bytes[end] == b'\r'));
        line.extend_from_slice(&bytes[..count]);
        source.consume(count);
        if returned && source.fill_buf()?.first() == Some(&b'\n') {
            line.push(b'\n');
            source.consume(1);
        }
        if end.is_some() || count == 0 {
            return Ok(());
        }
    }
}

/// Place (from 0) and title of a column that is given by its number or its name. A number is never a name.
fn find(column: &str, header: Option<&StringRecord>) -> Result<(usize, String), String> {
    let titles: Vec<&str> = header.map(|header| header.iter().collect()).unwrap_or_default();
    let place = match column.parse::<usize>() {
        Ok(number) => number.checked_sub(1).filter(|place| titles.is_empty() || *place < titles.len()),
        Err(_) => titles.iter().position(|title| *title == column),
    };
    match place {
        Some(place) => {
            let title = titles.get(place).filter(|title| !title.is_empty());
            Ok((place, title.map_or_else(|| format!("column {}", place + 1), |title| (*title).to_owned())))
        }
        None if titles.is_empty() => {
            Err(format!("column {column:?} is not a number from 1, and there is no header with names"))
        }
        None => Err(format!(
            "it has no column {column:?}; allowed: a number from 1 to {} or one of {}",
            titles.len(),
            titles.join(", ")
        )),
    }
}

/// What is likely wrong, if the header is one column and would be more with another delimiter.
fn other_delimiter(header: Option<&StringRecord>, delimiter: char) -> Option<String> {
    let header = header.filter(|header| header.len() == 1)?;
    let likely = [';', '\t', ',', '|', ' '].into_iter().find(|other| *other != delimiter && header[0].contains(*other));
    likely.map(|other| {
        let other = if other == '\t' { "tab".to_owned() } else { format!("{other:?}") };
        format!(
            "its header is one column with the delimiter {delimiter:?}, and several with {other}: say so (--delimiter, \
             delimiter)"
        )
    })
}
