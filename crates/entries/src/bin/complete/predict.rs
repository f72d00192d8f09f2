//! Which entries are predicted, and the file they are written to.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use csv::WriterBuilder;
use dynamics::completion::Predictor;
use entries::{Format, Lines, Table};
use tempfile::NamedTempFile;

use crate::messages::warn;
use crate::options::Options;

/// Most entries that are predicted without being listed.
const MOST: usize = 20_000_000;

/// The entries to predict.
pub enum Wanted {
    /// All that are not known.
    Missing,
    /// These, by name, and where they are in the matrix if they are.
    Listed(Vec<Pair>),
}

/// One of them.
pub struct Pair {
    names: [String; 2],
    place: Places,
    line: u64,
}

/// Row and column, of those that have a known entry.
type Places = (Option<usize>, Option<usize>);

impl Wanted {
    /// Reads the list, or makes sure that none is needed: before any training.
    pub fn new(options: &Options, table: &Table, format: &Format) -> Result<Self> {
        check_output(&options.output, [Some(&options.entries), options.predict.as_ref()])?;
        let Some(path) = &options.predict else {
            let (rows, columns) = table.shape();
            let missing = rows * columns - table.entries.len();
            ensure!(
                missing <= MOST,
                "{missing} entries are not known, more than the {MOST} that are predicted unasked; list those you want in a \
                 file and pass it with --predict"
            );
            return Ok(Self::Missing);
        };
        let mut lines = pairs_of(path, format, &table.titles)?;
        let find = |row: &str, column: &str| -> Result<Places, String> {
            Ok((table.rows.find(row)?, table.columns.find(column)?))
        };
        // Taken for a header, a pair would be lost.
        if let (true, Ok((Some(_), Some(_)))) = (format.header_lines > 0, find(&lines.titles()[0], &lines.titles()[1]))
        {
            let [row, column] = [0, 1].map(|k| &lines.titles()[k]);
            bail!("{}, line 1: row {row:?} and column {column:?} are a pair, and a header is wanted", path.display());
        }
        let mut pairs = Vec::new();
        while let Some((line, texts)) = lines.next_line()? {
            let names = [0, 1].map(|k| texts[k].to_owned());
            let place = find(&names[0], &names[1]).map_err(|allowed| {
                lines.wrong(line, format!("row {:?}, column {:?}: allowed is {allowed}", names[0], names[1]))
            })?;
            pairs.push(Pair { names, place, line });
        }
        ensure!(!pairs.is_empty(), "{}: it lists nothing to predict", path.display());
        Ok(Self::Listed(pairs))
    }

    /// Writes the predictions; how many. The file appears when it is whole.
    pub fn write(self, options: &Options, table: &Table, format: &Format, predictor: &Predictor) -> Result<usize> {
        let failed = || format!("{} cannot be written", options.output.display());
        let file = new_file(directory(&options.output)).with_context(failed)?;
        let mut writer = WriterBuilder::new().delimiter(format.delimiter as u8).from_writer(&file);
        if format.header_lines > 0 {
            writer.write_record(&table.titles).with_context(failed)?;
        }
        let mut count = 0;
        let mut put = |row: &str, column: &str, value: f64| {
            count += 1;
            writer.write_record([row, column, &value.to_string()])
        };
        match self {
            Self::Missing => {
                let known: HashSet<(usize, usize)> = table.entries.iter().map(|&(i, j, _)| (i, j)).collect();
                for i in 0..table.rows.len() {
                    for j in (0..table.columns.len()).filter(|j| !known.contains(&(i, *j))) {
                        put(&table.rows.name(i), &table.columns.name(j), predictor.entry(i, j)).with_context(failed)?;
                    }
                }
            }
            Self::Listed(pairs) => {
                warn_of_unknown(&pairs);
                for Pair { names: [row, column], place, .. } in &pairs {
                    put(row, column, prediction(predictor, *place)).with_context(failed)?;
                }
            }
        }
        writer.flush().with_context(failed)?;
        drop(writer);
        file.persist(&options.output).map_err(|error| error.error).with_context(failed)?;
        Ok(count)
    }
}

/// The lines of the file of pairs. If its header has the names of the entries' row and column, these are read wherever they
/// are; if it has neither, the first two columns are, with a warning.
fn pairs_of(path: &Path, format: &Format, titles: &[String; 3]) -> Result<Lines<BufReader<File>>> {
    let file = path.display().to_string();
    let open = |columns: [&str; 2]| -> Result<Lines<BufReader<File>>> {
        let source = File::open(path).with_context(|| format!("{file} cannot be read"))?;
        Ok(Lines::new(BufReader::new(source), &file, format, &columns.map(str::to_owned))?)
    };
    let first = open(["1", "2"])?;
    let names @ [row, column] = [titles[0].as_str(), titles[1].as_str()];
    // A number is a place, never a name.
    if format.header_lines == 0 || first.titles() == names || names.iter().any(|name| name.parse::<usize>().is_ok()) {
        return Ok(first);
    }
    let header = first.header();
    match names.iter().filter(|name| header.iter().any(|title| title == *name)).count() {
        2 => return open(names),
        0 => {}
        _ => bail!(
            "{file}: its columns are called {}; allowed: both names of the entries' row and column, {row} and {column}, in any \
             order, or neither",
            header.join(" and ")
        ),
    }
    if let Some(place) = header.iter().take(2).position(String::is_empty).filter(|_| header.len() > 2) {
        bail!(
            "{file}: column {} has no name (an index that pandas wrote?): call the two columns {row} and {column}",
            place + 1
        );
    }
    let header = header.join(", ");
    warn(format_args!(
        "{file}: the header, line 1 ({header}), has neither {row} nor {column}: the first column is taken for {row}, the second for \
         {column}"
    ));
    Ok(first)
}

/// The prediction; of a row or column that has no known entry, without its bias and its factor.
fn prediction(predictor: &Predictor, place: Places) -> f64 {
    let biases = &predictor.biases;
    match place {
        (Some(i), Some(j)) => predictor.entry(i, j),
        (Some(i), None) => biases.mean + biases.rows[i],
        (None, Some(j)) => biases.mean + biases.columns[j],
        (None, None) => biases.mean,
    }
}

/// Warns of pairs of which nothing is known.
fn warn_of_unknown(pairs: &[Pair]) {
    let mut unknown = pairs.iter().filter(|pair| pair.place.0.is_none() || pair.place.1.is_none());
    if let Some(first) = unknown.next() {
        warn(format_args!(
            "pairs whose row or column has no known entry: {}, the first in line {}; predicted without its factor and bias",
            1 + unknown.count(),
            first.line
        ));
    }
}

/// A file without a name, with the access rights that any new file has.
fn new_file(directory: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(<fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
    builder.tempfile_in(directory)
}

/// Whether a file can appear there, and is not one of the inputs.
fn check_output(output: &Path, inputs: [Option<&std::path::PathBuf>; 2]) -> Result<()> {
    let directory = directory(output);
    ensure!(directory.is_dir(), "--output {}: there is no directory {}", output.display(), directory.display());
    ensure!(!output.is_dir(), "--output {}: it is a directory", output.display());
    // The file is renamed into its place: a device, a pipe or a link there would be gone.
    let is_other = fs::symlink_metadata(output).is_ok_and(|metadata| !metadata.is_file());
    ensure!(!is_other, "--output {}: it is there, and not a regular file", output.display());
    if let Ok(output) = fs::canonicalize(output)
        && let Some(input) =
            inputs.into_iter().flatten().find(|input| fs::canonicalize(input).is_ok_and(|i| i == output))
    {
        bail!("--output {} is also what is read", input.display());
    }
    if let Err(error) = new_file(directory) {
        bail!("--output {}: no file can be made in {}: {error}", output.display(), directory.display());
    }
    Ok(())
}

fn directory(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
