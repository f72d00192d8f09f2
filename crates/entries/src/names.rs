//! Names of rows or columns, numbered in the order of their appearance.

use std::collections::HashMap;

use crate::Index;

/// Rows or columns of a matrix.
#[derive(Clone, Debug)]
pub struct Names {
    index: Index,
    numbers: HashMap<String, usize>,
    /// Names by number; empty where rows and columns are numbers in the file.
    names: Vec<String>,
    count: usize,
}

/// The most rows or columns: a mistaken number would else ask for all memory.
pub(crate) const MOST: usize = 100_000_000;

impl Names {
    pub(crate) fn new(index: Index) -> Self {
        Self { index, numbers: HashMap::new(), names: Vec::new(), count: 0 }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The name of the `number`-th, as the file has it.
    pub fn name(&self, number: usize) -> String {
        match self.index {
            Index::Names => self.names[number].clone(),
            Index::From0 => number.to_string(),
            Index::From1 => (number + 1).to_string(),
        }
    }

    /// The number of a name, from 0; `None` if there is no such row or column.
    ///
    /// # Errors
    /// If it is no name: what is allowed.
    pub fn find(&self, name: &str) -> Result<Option<usize>, String> {
        match self.index {
            Index::Names => Ok(self.numbers.get(name).copied()),
            _ => Ok(Some(self.parse(name)?).filter(|number| *number < self.count)),
        }
    }

    /// The number of a name, which is counted from now on; what is allowed, if it is none.
    pub(crate) fn number(&mut self, name: &str) -> Result<usize, String> {
        if self.index == Index::Names {
            if let Some(number) = self.numbers.get(name) {
                return Ok(*number);
            }
            self.numbers.insert(name.to_owned(), self.count);
            self.names.push(name.to_owned());
            self.count += 1;
            return Ok(self.count - 1);
        }
        let number = self.parse(name)?;
        self.count = self.count.max(number + 1);
        Ok(number)
    }

    fn parse(&self, name: &str) -> Result<usize, String> {
        let least = usize::from(self.index == Index::From1);
        let allowed = || format!("a whole number from {least} to {}", MOST - 1 + least);
        let number: usize = name.parse().map_err(|_| allowed())?;
        if (least..MOST + least).contains(&number) { Ok(number - least) } else { Err(allowed()) }
    }
}
