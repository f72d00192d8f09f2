//! Tries the ranks and centerings, and shows how far training is.

use anyhow::{Context, Result, anyhow};
use dynamics::completion::{Centering, Check, Completed, Completion, Shrinkage, Stopping};
use dynamics::units::Hyperparameters;
use dynamics::{DynamicsError, random};
use entries::Split;
use faer::Par;
use indicatif::{ProgressBar, ProgressStyle};

use crate::messages::Messages;
use crate::options::{Center, Options};

/// The attempt with the smallest validation error.
pub struct Found {
    pub completion: Completion,
    pub completed: Completed,
}

impl Found {
    /// What was taken away before training, in words.
    pub fn centered(&self) -> &'static str {
        words(self.completion.centering)
    }
}

fn words(centering: Centering) -> &'static str {
    match centering {
        Centering::None => "nothing taken away",
        Centering::Mean => "about the mean",
        Centering::Biases(_) => "about mean and biases",
    }
}

/// Trains at every rank and centering. One that diverges is said, and is none of the best.
pub fn best(options: &Options, messages: &Messages, shape: (usize, usize), split: &Split, par: Par) -> Result<Found> {
    let biases = Centering::Biases(Shrinkage::default());
    let centerings: &[Centering] = match options.center {
        Center::Best => &[Centering::None, Centering::Mean, biases],
        Center::Mean => &[Centering::Mean],
        Center::Biases => &[biases],
        Center::None => &[Centering::None],
    };
    let mut best: Option<(f64, Found)> = None;
    let mut diverged = None;
    for &rank in &options.rank {
        for &centering in centerings {
            let completion = completion(options, rank, centering);
            let what = format!("rank {rank}, {}", words(centering));
            // The same start for every attempt: they differ in nothing else.
            let mut rng = random::stream(options.seed, &["complete", "start"]);
            let attempt = show(options, &what, &completion, |watch| {
                completion.fit(shape, &split.training, &split.validation, &mut rng, watch, par)
            });
            // Biases alone may explain a matrix: of them nothing is left, of the matrix there is.
            if centerings.len() > 1 && matches!(&attempt, Err(error) if is_nothing_left(error)) {
                continue;
            }
            // Another rank or centering may do better; if none does, the first divergence is the answer.
            let completed = match attempt {
                Err(error) if is_divergence(&error) => {
                    messages.say(format_args!("{error:#}"));
                    diverged.get_or_insert(error);
                    continue;
                }
                other => other?,
            };
            let error = completed.best.validation_error.context("there are validation entries")?;
            let last = completed.checks.last().is_some_and(|check| check.iteration >= options.max_iterations);
            let hint = if last { " (ended by --max-iterations)" } else { "" };
            messages.say(format_args!(
                "{what}: validation error {error:.4e} at iteration {}{hint}",
                completed.best.iteration
            ));
            if best.as_ref().is_none_or(|(least, _)| error < *least) {
                best = Some((error, Found { completion, completed }));
            }
        }
    }
    let none = || diverged.unwrap_or_else(|| anyhow!("nothing could be trained"));
    best.map(|(_, found)| found).ok_or_else(none)
}

fn is_divergence(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(DynamicsError::Diverged { .. }))
}

fn is_nothing_left(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(DynamicsError::NothingLeft))
}

fn completion(options: &Options, rank: usize, centering: Centering) -> Completion {
    let Options { depth, max_iterations, patience, step_size, init_scale, .. } = *options;
    let usual = Hyperparameters::of_depth(depth);
    let init_scale = init_scale.unwrap_or(usual.init_scale);
    Completion {
        depth,
        centering,
        hyperparameters: Hyperparameters { step_size, init_scale, ..usual },
        stopping: Stopping { max_iterations, patience, ..Stopping::default() },
        ..Completion::of_rank(rank)
    }
}

/// Runs `fit` with a progress bar, if there is a terminal.
pub fn show(
    options: &Options,
    what: &str,
    completion: &Completion,
    fit: impl FnOnce(&mut dyn FnMut(&Check)) -> Result<Completed, DynamicsError>,
) -> Result<Completed> {
    let bar = if options.quiet { ProgressBar::hidden() } else { ProgressBar::new(completion.stopping.max_iterations) };
    bar.set_style(ProgressStyle::with_template("{prefix}: iteration {pos} of at most {len}, {msg} [{elapsed}]")?);
    bar.set_prefix(what.to_owned());
    let completed = fit(&mut |check| {
        bar.set_position(check.iteration);
        bar.set_message(match check.validation_error {
            Some(error) => format!("validation error {error:.4e}"),
            None => format!("training error {:.4e}", check.training_error),
        });
    });
    bar.finish_and_clear();
    let advice = match &completed {
        Err(DynamicsError::Diverged { .. }) => format!("{what} (a smaller --step-size or --init-scale may help)"),
        _ => what.to_owned(),
    };
    completed.with_context(|| advice)
}
