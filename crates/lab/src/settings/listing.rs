//! What a settings file says of its own keys: the values of every profile and the comment on each line.
//!
//! The comments of `experiments/NAME.toml` are the one place where a setting's purpose and range are written for people.

use std::fmt::Write;

use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

/// A settings file's keys, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Names of the profiles beside `paper`, whose values are those at the top of the file.
    pub profiles: Vec<String>,
    /// The keys.
    pub keys: Vec<Listed>,
}

/// A key of a settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Dotted key, as after `--set`; `[]` for each table of a list of tables.
    pub key: String,
    /// Its value in the profile `paper`.
    pub paper: String,
    /// Its value in each of the other profiles, where that is another.
    pub others: Vec<Option<String>>,
    /// What it is and what is allowed: the comment beside it.
    pub purpose: String,
}

impl Listing {
    /// The keys of a settings file; `None` if it is not TOML.
    pub fn of(text: &str) -> Option<Self> {
        let document: DocumentMut = text.parse().ok()?;
        let mut base = document.as_table().clone();
        let profiles = base.remove("profiles");
        let profiles: Vec<(String, Item)> = profiles
            .as_ref()
            .and_then(Item::as_table_like)
            .map(|table| table.iter().map(|(name, item)| (name.to_owned(), item.clone())).collect())
            .unwrap_or_default();
        let mut keys = Vec::new();
        let others: Vec<Option<&dyn TableLike>> = profiles.iter().map(|(_, item)| item.as_table_like()).collect();
        collect("", &base, &others, &mut keys);
        Some(Self { profiles: profiles.into_iter().map(|(name, _)| name).collect(), keys })
    }

    /// As columns of text, for a terminal.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Listed { key, paper, others, purpose } in &self.keys {
            let _ = writeln!(text, "{key} = {paper}");
            if !purpose.is_empty() {
                let _ = writeln!(text, "    {purpose}");
            }
            for (profile, value) in self.profiles.iter().zip(others) {
                if let Some(value) = value {
                    let _ = writeln!(text, "    {profile}: {value}");
                }
            }
        }
        text
    }

    /// As a table in Markdown.
    pub fn markdown(&self) -> String {
        let escaped = |text: &str| text.replace('|', "\\|");
        let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{}`", escaped(text)) };
        let profiles: String = self.profiles.iter().map(|name| format!(" {name} |")).collect();
        let mut text =
            format!("| key | what it is | paper |{profiles}\n|---|---|---|{}\n", "---|".repeat(self.profiles.len()));
        for Listed { key, paper, others, purpose } in &self.keys {
            let others: String =
                others.iter().map(|value| format!(" {} |", code(value.as_deref().unwrap_or("")))).collect();
            let _ = writeln!(text, "| `{key}` | {} | {} |{others}", escaped(purpose), code(paper));
        }
        text
    }
}

/// The keys of `table`, below `prefix`; `others` are the same table of the other profiles.
fn collect(prefix: &str, table: &Table, others: &[Option<&dyn TableLike>], keys: &mut Vec<Listed>) {
    // A comment that goes on in the next lines belongs to the key before.
    let entries: Vec<(&str, &Item)> = table.iter().collect();
    for (at, (name, item)) in entries.iter().enumerate() {
        let key = if prefix.is_empty() { (*name).to_owned() } else { format!("{prefix}.{name}") };
        let there = |table: &Option<&dyn TableLike>| table.and_then(|table| table.get(name).cloned());
        let values: Vec<Option<Item>> = others.iter().map(there).collect();
        match item {
            Item::Table(below) => {
                let below_others: Vec<_> =
                    values.iter().map(|item| item.as_ref().and_then(Item::as_table_like)).collect();
                collect(&key, below, &below_others, keys);
            }
            Item::ArrayOfTables(tables) => {
                let purpose = tables
                    .get(0)
                    .map(|first| comment(first.decor().prefix().and_then(|text| text.as_str())))
                    .unwrap_or_default();
                keys.push(Listed {
                    key: format!("{key}[]"),
                    paper: shown(item),
                    others: values.iter().map(|item| item.as_ref().map(shown)).collect(),
                    purpose,
                });
            }
            _ => {
                let beside = item.as_value().and_then(|value| value.decor().suffix()).and_then(|text| text.as_str());
                let next = entries.get(at + 1).and_then(|(next, _)| table.key(next));
                let goes_on =
                    next.and_then(|key| key.leaf_decor().prefix()).and_then(|text| text.as_str()).map(continued);
                let purpose = [comment(beside), goes_on.unwrap_or_default()].join(" ").trim().to_owned();
                let others = values.iter().map(|item| item.as_ref().map(shown)).collect();
                keys.push(Listed { key, paper: shown(item), others, purpose });
            }
        }
    }
}

/// A list of tables is shown by their number.
fn counted(tables: usize) -> String {
    if tables == 1 { "1 table".to_owned() } else { format!("{tables} tables") }
}

/// A value on one line, without its comments.
fn shown(item: &Item) -> String {
    match item {
        Item::ArrayOfTables(tables) => counted(tables.len()),
        Item::Value(Value::Array(array)) if array.iter().any(Value::is_inline_table) => counted(array.len()),
        Item::Value(value) => {
            let text = value.clone().decorated("", "").to_string();
            text.lines()
                .map(|line| line.split(" #").next().unwrap_or("").trim())
                .collect::<Vec<_>>()
                .join(" ")
                .replace("[ ", "[")
                .replace(", ]", "]")
        }
        other => other.to_string().trim().to_owned(),
    }
}

/// The text of comment lines.
fn comment(text: Option<&str>) -> String {
    let lines = text.unwrap_or_default().lines().map(|line| line.trim().trim_start_matches('#').trim());
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The indented comment lines at the beginning of what stands before the next key.
fn continued(text: &str) -> String {
    let lines = text.lines().take_while(|line| line.starts_with("  ") && line.trim_start().starts_with('#'));
    comment(Some(&lines.collect::<Vec<_>>().join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# Head\n\nseed = 1  # of everything\nsteps = [1, 2]  # each above 0,\n                # and once\nplain = true\n\n[problem]\nsize = 10  # d; from 1\n\n# One for each.\n[[cases]]\nname = \"a | b\"\n[[cases]]\nname = \"b\"\n\n[profiles.quick]\nseed = 2\nproblem = { size = 5 }\n[profiles.smoke]\nproblem.size = 3\n";

    #[test]
    fn keys_values_and_comments() {
        let listing = Listing::of(FILE).unwrap();
        assert_eq!(listing.profiles, ["quick", "smoke"]);
        let keys: Vec<_> =
            listing.keys.iter().map(|l| (l.key.as_str(), l.paper.as_str(), l.purpose.as_str())).collect();
        assert_eq!(
            keys,
            [
                ("seed", "1", "of everything"),
                ("steps", "[1, 2]", "each above 0, and once"),
                ("plain", "true", ""),
                ("problem.size", "10", "d; from 1"),
                ("cases[]", "2 tables", "One for each."),
            ]
        );
        assert_eq!(listing.keys[3].others, [Some("5".to_owned()), Some("3".to_owned())]);
        assert_eq!(listing.keys[0].others, [Some("2".to_owned()), None]);
        assert!(listing.text().contains("problem.size = 10\n    d; from 1\n    quick: 5\n    smoke: 3\n"));
        assert!(listing.markdown().contains("| `problem.size` | d; from 1 | `10` | `5` | `3` |"));
    }
}
