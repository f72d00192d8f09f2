//! Mistakes of all kinds.

use std::collections::BTreeMap;

use dynamics::random::Generator;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, RngExt};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// What a mistake looks like as a value of TOML.
pub(super) const VALUES: [&str; 27] = [
    "0",
    "-1",
    "1",
    "2",
    "7",
    "0.1",
    "0.5",
    "1e308",
    "-1e308",
    "5e-324",
    "1e-320",
    "nan",
    "inf",
    "9223372036854775807",
    "1000000",
    "1000000000",
    "1000000000000",
    "\"\"",
    "\"text\"",
    "\"../text\"",
    "\"a\\u0007b\"",
    "true",
    "1979-05-27",
    "[]",
    "[1, 1]",
    "{}",
    "[[1], 2]",
];

/// A number that is a little or much too large or small, as a setting's line has it; the line itself if it has none.
fn nudged(line: &str, rng: &mut Generator) -> String {
    let Some((key, rest)) = line.split_once(" = ") else { return line.to_owned() };
    let end = rest.find(|sign: char| !sign.is_ascii_digit() && !"_.e-".contains(sign)).unwrap_or(rest.len());
    let (number, rest) = rest.split_at(end);
    let whole = number.replace('_', "");
    match (whole.parse::<u32>(), whole.parse::<f64>()) {
        (Ok(whole), _) => {
            let whole = *[whole / 2, whole.saturating_sub(1), whole + 1, 2 * whole, 10 * whole].choose(rng).unwrap();
            format!("{key} = {whole}{rest}")
        }
        (_, Ok(number)) => {
            format!("{key} = {:e}{rest}", number * [1e-9, 0.1, 0.5, 2.0, 10.0, 1e9].choose(rng).unwrap())
        }
        _ => line.to_owned(),
    }
}

/// A settings file with one to three mistakes.
pub(super) fn mutated_settings(text: &str, rng: &mut Generator) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..*[1, 1, 2, 3].choose(rng).unwrap() {
        let at = rng.random_range(0..lines.len());
        let value = VALUES.choose(rng).unwrap();
        let keys: Vec<usize> = (0..lines.len()).filter(|&i| lines[i].contains(" = ")).collect();
        match rng.random_range(0..14) {
            10.. => {
                for line in &mut lines {
                    *line = if rng.random_range(0..8) == 0 { nudged(line, rng) } else { std::mem::take(line) };
                }
            }
            0..=5 => {
                let Some(&at) = keys.choose(rng) else { continue };
                let key = lines[at].split(" = ").next().unwrap_or_default().to_owned();
                lines[at] = format!("{key} = {value}");
            }
            6 => drop(lines.remove(at)),
            7 => lines.insert(at, lines[at].clone()),
            8 => lines.insert(at, format!("surprise_{at} = {value}")),
            _ => {
                let mut bytes = lines[at].clone().into_bytes();
                if !bytes.is_empty() {
                    let byte = rng.random_range(0..bytes.len());
                    bytes[byte] = rng.random_range(1..128);
                }
                lines[at] = String::from_utf8_lossy(&bytes).into_owned();
            }
        }
    }
    lines.join("\n")
}

/// Bytes with one to four mistakes: some changed, a part cut, doubled or replaced.
pub(super) fn mutated_bytes(mut bytes: Vec<u8>, rng: &mut Generator) -> Vec<u8> {
    const INSERTED: [&[u8]; 11] =
        [b"\r", b"\n", b"\t", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"nan", b"1e999", b"\"", b"{", b"-"];
    for _ in 0..rng.random_range(1..=4) {
        if bytes.is_empty() {
            break;
        }
        let at = rng.random_range(0..bytes.len());
        match rng.random_range(0..7) {
            0..=2 => bytes[at] = rng.next_u32() as u8,
            3 => bytes.truncate(at),
            4 => {
                let part = bytes[at..(at + 200).min(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
            5 => drop(bytes.splice(at..(at + 50).min(bytes.len()), [])),
            _ => drop(bytes.splice(at..at, INSERTED.choose(rng).unwrap().iter().copied())),
        }
    }
    bytes
}

/// A table of text with one mistake: other ends of lines, a line without end, nothing, other values of a column.
pub(super) fn mutated_table(bytes: Vec<u8>, rng: &mut Generator) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = bytes.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    match rng.random_range(0..8) {
        0 => return bytes.into_iter().map(|byte| if byte == b'\n' { b'\r' } else { byte }).collect(),
        1 => return [vec![b'x'; 1 << 20], bytes].concat(),
        2 => return Vec::new(),
        3 => lines.truncate(rng.random_range(1..4)),
        4 => lines.shuffle(rng),
        5 => lines = lines.iter().flat_map(|line| [line.clone(), line.clone()]).collect(),
        _ => {
            let values: [&[u8]; 9] = [b"", b"0", b"1", b"-1", b"nan", b"1e300", b"99999999999999999999", b"\xff", b" "];
            let (column, value) = (rng.random_range(0..7), *values.choose(rng).unwrap());
            for line in &mut lines {
                let mut fields: Vec<&[u8]> = line.split(|&byte| byte == b'\t').collect();
                let columns = fields.len();
                fields[column % columns] = value;
                *line = fields.join(&b'\t');
            }
        }
    }
    lines.join(&b'\n')
}

/// A table of results with other numbers in one to three cells, or in a whole column.
pub(super) fn mutated_results(text: &str, rng: &mut Generator) -> String {
    const CELLS: [&str; 16] = [
        "",
        "0",
        "-1",
        "1",
        "7",
        "1e308",
        "-1e308",
        "1e300",
        "1e-300",
        "5e-324",
        "NaN",
        "inf",
        "18446744073709551615",
        "true",
        "\u{7}",
        "text",
    ];
    let mut rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let count = rows.len();
    for _ in 0..rng.random_range(1..=3) {
        let row = rng.random_range(0..count);
        let column = rng.random_range(0..rows[row].len());
        let is_whole = rng.random_range(0..3) == 0;
        for row in if is_whole { 1..count } else { row..row + 1 } {
            if let Some(cell) = rows[row].get_mut(column) {
                *cell = CELLS.choose(rng).unwrap();
            }
        }
    }
    rows.into_iter().map(|row| row.join(",") + "\n").collect()
}

/// JSON with one value replaced, where each stands on a line of its own; else as bytes.
pub(super) fn mutated_config(text: &str, rng: &mut Generator) -> String {
    const JSON: [&str; 13] = [
        "0",
        "-1",
        "1",
        "1e300",
        "null",
        "\"roberta\"",
        "\"gelu_new\"",
        "true",
        "[]",
        "{\"0\": [1]}",
        "4294967296",
        "18446744073709551615",
        "0.5",
    ];
    let lines: Vec<&str> = text.lines().collect();
    let keys: Vec<usize> = (0..lines.len()).filter(|&i| lines[i].contains("\": ")).collect();
    let Some(&at) = keys.choose(rng) else {
        return String::from_utf8_lossy(&mutated_bytes(text.into(), rng)).into_owned();
    };
    let value = JSON.choose(rng).unwrap();
    let changed = |(i, line): (usize, &&str)| match line.split_once(": ") {
        Some((key, _)) if i == at => format!("{key}: {value}{}", if line.ends_with(',') { "," } else { "" }),
        _ => (*line).to_owned(),
    };
    lines.iter().enumerate().map(changed).collect::<Vec<_>>().join("\n")
}

/// Weights with one tensor that is missing, renamed, of another shape or type, or holds what no weight is.
pub(super) fn mutated_weights(bytes: &[u8], rng: &mut Generator) -> Vec<u8> {
    type Tensor = (Dtype, Vec<usize>, Vec<u8>);
    let parsed = SafeTensors::deserialize(bytes).unwrap();
    let mut tensors: BTreeMap<String, Tensor> = parsed
        .iter()
        .map(|(name, view)| (name.to_owned(), (view.dtype(), view.shape().to_vec(), view.data().to_vec())))
        .collect();
    let names: Vec<String> = tensors.keys().cloned().collect();
    let name = names.choose(rng).unwrap();
    let (dtype, mut shape, mut data) = tensors.remove(name).unwrap();
    let place = rng.random_range(0..data.len() / dtype.bitsize().div_ceil(8)) * dtype.bitsize().div_ceil(8);
    let odd = [f32::NAN, f32::INFINITY, 3e38, -1e30, f32::MIN_POSITIVE / 2.0];
    let kind = rng.random_range(0..8);
    match kind {
        0 => {}
        1 => shape.reverse(),
        2 => shape.insert(0, 1),
        3 => data.fill(0),
        4 => data.iter_mut().for_each(|byte| *byte = rng.next_u32() as u8),
        _ if dtype == Dtype::F32 => data[place..place + 4].copy_from_slice(&odd.choose(rng).unwrap().to_le_bytes()),
        _ => data[place] = 0xff,
    }
    if kind > 0 {
        let name = if kind == 5 { format!("{name}.gamma") } else { name.clone() };
        tensors.insert(name, (dtype, shape, data));
    }
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, data))| (name, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    safetensors::serialize(views, None).unwrap()
}
