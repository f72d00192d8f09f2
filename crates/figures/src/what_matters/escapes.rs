//! When every update of Deep LoRA leaves the origin, against what its own first gradient predicts.
//!
//! The factors' gradients are far below AdamW's ϵ at first, where AdamW is descent with step η/ϵ. With L = 3 the factors, of
//! size ε along the leading direction, obey `w' = (η/ϵ) σ_1 w²`, which blows up after `ϵ / (η ε σ_1)` steps; with L factors after
//! `ϵ / ((L − 2) η ε^(L−2) σ_1)`.

use serde::{Deserialize, Serialize};

use super::settings::Settings;
use crate::adaptation::{DEEP_LORA, DEEP_LORA_NARROW, FinishedRun};

/// One update of one run: a row of `what-matters.escapes.csv`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct EscapeRow {
    pub(super) encoder: String,
    pub(super) head: String,
    pub(super) task: String,
    pub(super) method: String,
    pub(super) epsilon: f64,
    pub(super) head_draw: usize,
    pub(super) trial: usize,
    pub(super) matrix: String,
    /// σ_1 of the first gradient with respect to `ΔW`.
    pub(super) gradient_norm: f64,
    /// Steps that this gradient predicts.
    pub(super) predicted_steps: f64,
    /// Steps after which ‖ΔW‖_F exceeds 1e-3; empty if it never does.
    pub(super) steps: Option<u64>,
}

/// The rows of a run; none of LoRA, which does not start at a saddle.
pub(super) fn rows(settings: &Settings, run: &FinishedRun) -> Vec<EscapeRow> {
    let at = &run.at;
    if ![DEEP_LORA, DEEP_LORA_NARROW].contains(&at.method.as_str()) {
        return Vec::new();
    }
    let further = *settings.methods.depth as f64 - 2.0;
    let speed = further * at.step_size * settings.methods.init_scale.powf(further);
    let of = |escape: &crate::adaptation::Escape| EscapeRow {
        encoder: at.encoder.clone(),
        head: at.head.clone(),
        task: at.task.clone(),
        method: at.method.clone(),
        epsilon: at.epsilon,
        head_draw: at.head_draw,
        trial: at.trial,
        matrix: escape.site.name(),
        gradient_norm: escape.gradient_norm,
        predicted_steps: at.epsilon / (speed * escape.gradient_norm),
        steps: escape.step,
    };
    run.outcome.escapes.iter().map(of).collect()
}
