//! What is said on standard output.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, ErrorKind, Write};

use anyhow::{Context, Result};

/// Warns on standard error, also if quiet.
pub fn warn(what: fmt::Arguments<'_>) {
    // Who closed standard error does not want it.
    let _ = writeln!(io::stderr(), "warning: {what}");
}

/// Says lines on standard output. If it takes none, the predictions are still made and written.
pub struct Messages {
    quiet: bool,
    failed: RefCell<io::Result<()>>,
}

impl Messages {
    /// Says everything, or only what was asked for if `quiet`.
    pub fn new(quiet: bool) -> Self {
        Self { quiet, failed: RefCell::new(Ok(())) }
    }

    /// Says a line, unless quiet.
    pub fn say(&self, line: fmt::Arguments<'_>) {
        if !self.quiet {
            self.result(line);
        }
    }

    /// Says a line that was asked for.
    pub fn result(&self, line: fmt::Arguments<'_>) {
        let mut failed = self.failed.borrow_mut();
        if failed.is_ok() {
            *failed = writeln!(io::stdout(), "{line}");
        }
    }

    /// Whether everything was said. A reader who closed the pipe has read enough.
    ///
    /// # Errors
    /// What the system said at the first line that could not be written.
    pub fn finish(self) -> Result<()> {
        match self.failed.into_inner().and_then(|()| io::stdout().flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(error).context("the predictions are written, but standard output took no more")
            }
            _ => Ok(()),
        }
    }
}
