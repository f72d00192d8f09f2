//! Texts that the report shows as they are: `NAME.texts.csv`, whose rows of the same first column belong together.

use maud::{Markup, html};

use crate::{LabError, Results};

/// Texts, a block for each value of the first column.
pub(super) struct Texts {
    /// Names of the columns after the first, which is the block's.
    header: Vec<String>,
    blocks: Vec<Block>,
}

struct Block {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Texts {
    /// Of `STEM.csv`; `None` if it is not there or has no rows.
    pub(super) fn read(results: &Results, stem: &str) -> Result<Option<Self>, LabError> {
        if !results.has(stem) {
            return Ok(None);
        }
        let (path, bytes) = results.bytes(stem)?;
        Self::parse(&bytes).map_err(|error| results.unreadable(path, &bytes, &error))
    }

    fn parse(bytes: &[u8]) -> Result<Option<Self>, csv::Error> {
        let mut reader = csv::Reader::from_reader(bytes);
        let rest = |record: &csv::StringRecord| record.iter().skip(1).map(printable).collect::<Vec<_>>();
        let header = rest(reader.headers()?);
        let mut blocks: Vec<Block> = Vec::new();
        for record in reader.records() {
            let record = record?;
            let title = record.get(0).unwrap_or_default();
            match blocks.last_mut().filter(|block| block.title == printable(title)) {
                Some(block) => block.rows.push(rest(&record)),
                None => blocks.push(Block { title: printable(title), rows: vec![rest(&record)] }),
            }
        }
        Ok((!blocks.is_empty()).then_some(Self { header, blocks }))
    }

    /// As a part of the page.
    pub(super) fn html(&self) -> Markup {
        html! {
            details.texts {
                summary { "Texts side by side: " (self.blocks.len()) }
                @for Block { title, rows } in &self.blocks {
                    p { b { (title) } }
                    div.scroll tabindex="0" { table {
                        thead { tr { @for name in &self.header { th { (name.replace('_', " ")) } } } }
                        tbody { @for row in rows { tr { @for cell in row { td { (cell) } } } } }
                    } }
                }
            }
        }
    }
}

/// A text without the control characters that no page may have: a model may write any.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_first_column_are_a_block() {
        let table = "meaning,writer,text\na,person,\"x, <b>\"\na,model,y\u{1}\nb,person,z\n";
        let texts = Texts::parse(table.as_bytes()).unwrap().unwrap();
        let counts: Vec<(&str, usize)> =
            texts.blocks.iter().map(|block| (block.title.as_str(), block.rows.len())).collect();
        assert_eq!(counts, [("a", 2), ("b", 1)]);
        let html = texts.html().into_string();
        assert!(
            html.contains("x, &lt;b&gt;")
                && html.contains("y\u{fffd}")
                && html.contains("<th>writer</th>")
                && !html.contains("<th>meaning"),
            "{html}"
        );
        assert!(Texts::parse(b"meaning,text\n").unwrap().is_none());
        assert!(Texts::parse(b"a,b\nx\n").is_err());
    }
}
