//! Log lines on stderr, above the bars: `warning: …` on a terminal, with a time stamp and level elsewhere.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, format::Writer};
use tracing_subscriber::registry::LookupSpan;

use crate::progress::{BARS, Style};
use crate::{panics, provenance};

/// Starts logging for this process, routes panics into the log, and says how to show progress.
pub(crate) fn start(quiet: bool, verbose: bool) -> Style {
    let terminal = io::stderr().is_terminal();
    let level = match (quiet, verbose) {
        (true, _) => Level::WARN,
        (_, true) => Level::DEBUG,
        _ => Level::INFO,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .with_writer(|| AboveBars)
        .event_format(Line { stamped: !terminal })
        .finish();
    // A program that embeds this crate may have a subscriber of its own, which then stays.
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        panics::install();
    }
    match (quiet, terminal) {
        (true, _) => Style::Silent,
        (_, true) => Style::Bars,
        _ => Style::Lines,
    }
}

/// Writes to stderr with the bars out of the way.
struct AboveBars;

impl Write for AboveBars {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // If stderr is closed there is nobody to tell; the run goes on.
        let _ = BARS.suspend(|| io::stderr().write_all(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// One event, one line.
struct Line {
    stamped: bool,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if self.stamped {
            write!(out, "{} ", provenance::now())?;
        }
        match *event.metadata().level() {
            Level::ERROR => out.write_str("error: ")?,
            Level::WARN => out.write_str("warning: ")?,
            _ => {}
        }
        context.field_format().format_fields(out.by_ref(), event)?;
        writeln!(out)
    }
}
