//! Known entries of a matrix, from a delimited file or a public data set, and what to compare a completion of it with.
//!
//! | module | what |
//! |---|---|
//! | [`format`](Format), [`table`](Table) | a file of row, column, value, whatever its delimiter, header and names |
//! | [`known`](Known) | MovieLens-100K and FilmTrust, downloaded and verified by [`sources`] |
//! | [`split`](Split) | entries to train, to validate, to test |
//! | [`baselines`] | biased ALS and soft-impute |
//!
//! The completion itself is [`dynamics::Completion`]. The program `complete` puts them together; the example `completion` is
//! the shortest way from a file to predictions.
//!
//! ```
//! use entries::{Format, Table};
//!
//! let ratings = "user,film,stars\nada,Solaris,5\nada,Stalker,4\nemil,Solaris,3\n";
//! let table = Table::from_reader(ratings.as_bytes(), "ratings.csv", &Format::default())?;
//! assert_eq!(table.shape(), (2, 2));
//! assert_eq!(table.entries, [(0, 0, 5.0), (0, 1, 4.0), (1, 0, 3.0)]);
//! assert_eq!(table.columns.name(1), "Stalker");
//! # Ok::<(), entries::EntriesError>(())
//! ```

pub mod baselines;
mod error;
mod format;
mod known;
mod lines;
mod names;
mod split;
mod table;

pub use error::EntriesError;
pub use format::{Duplicates, Format, Index};
pub use known::Known;
pub use lines::Lines;
pub use names::Names;
pub use split::{Split, TooFew};
pub use table::Table;
