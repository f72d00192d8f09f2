//! Sections of the TOML files that several fine-tuning experiments have, and their checks.

use std::collections::BTreeMap;

use adaptation::adapter::{Adalora, DeepLora, Lora, SineLora, Width, ZeroFactor};
use adaptation::data::Task;
use adaptation::{Method, Pooling, Selection};
use charts::{Hue, significant};
use lab::Invalid;
use lab::checked::{Count, Depth, Distinct, NotNegative, Positive, Steps};
use serde::{Deserialize, Serialize};
use sources::Source;

use crate::checks::{check_depth_from, check_init_scale_single, check_positive};

/// `[encoder]`: the pretrained encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderSettings {
    /// Name of its source, or "tiny-random": a small one made in code.
    pub source: String,
    /// What of the last hidden states goes to the head.
    pub pooling: Pooling,
    /// Most tokens of an example, `[CLS]` and `[SEP]` included; longer ones are left out. Without it the paper's 128, or the
    /// encoder's positions where it has fewer.
    pub max_tokens: Option<usize>,
}

impl EncoderSettings {
    /// Whether it has learned something; what a random one does bears on no claim.
    pub fn is_pretrained(&self) -> bool {
        self.source != super::made_up::ENCODER
    }
}

/// `[sources]`: sources of encoders by name, in addition to the built-in ones.
pub type Sources = BTreeMap<String, Source>;

/// `[training]`: batches and steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSettings {
    /// Steps of a run.
    pub steps: Steps,
    /// Examples of a step.
    pub batch: Count,
    /// Whether the encoder's dropout is on.
    pub dropout: bool,
    /// Steps between two records of the training loss.
    pub record_every: Steps,
    /// Examples of dev that are evaluated on, if not all.
    pub dev_examples: Option<Count>,
    /// Steps between two checkpoints, from which a killed run goes on; without it, it starts again.
    pub checkpoint_every: Option<Steps>,
}

/// Most examples of a step; the largest task has half as many.
const MOST_EXAMPLES: usize = 1_000_000;

impl TrainingSettings {
    /// Checks the section `[training]`.
    pub fn check(&self) -> Result<(), Invalid> {
        let allowed = format!("a whole number from 1 to {MOST_EXAMPLES}");
        Invalid::unless(*self.batch <= MOST_EXAMPLES, "training.batch", self.batch, allowed)?;
        let allowed = format!("a whole number from 1 to the steps ({})", self.steps);
        Invalid::unless(self.record_every <= self.steps, "training.record_every", self.record_every, allowed)?;
        let examples = self.dev_examples.map_or(2, Count::get);
        Invalid::unless(examples >= 2, "training.dev_examples", examples, "a whole number from 2, or no such key: all")
    }
}

/// A method by its key in the TOML files, without its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MethodName {
    /// `ΔW = B A`.
    Lora,
    /// `ΔW = W_L ⋯ W_1` with inner width r.
    DeepLora,
    /// `sin(ω B A) / g`.
    SineLora,
    /// `P Λ Q` with an orthogonality penalty.
    Adalora,
}

impl std::fmt::Display for MethodName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Lora => "lora",
            Self::DeepLora => "deep-lora",
            Self::SineLora => "sine-lora",
            Self::Adalora => "adalora",
        })
    }
}

/// The task on which the paper reports values.
pub const PAPERS_TASK: &str = "stsb";

/// What tables and figures call LoRA.
pub const LORA: &str = "LoRA";
/// What tables and figures call Deep LoRA.
pub const DEEP_LORA: &str = "Deep LoRA";

/// `[methods]`: which methods, and what they are made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodSettings {
    /// The methods.
    pub names: Distinct<MethodName>,
    /// r of all of them.
    pub rank: Count,
    /// L of Deep LoRA.
    pub depth: Depth,
    /// ε of Deep LoRA.
    pub init_scale: Positive,
    /// ω of sine LoRA.
    pub sine_frequency: Positive,
    /// γ of AdaLoRA's penalty.
    pub adalora_orthogonality: NotNegative,
}

impl MethodSettings {
    /// Checks the section `[methods]`.
    pub fn check(&self) -> Result<(), Invalid> {
        check_deep(self.depth, "methods.depth")?;
        check_init_scale_single("methods.init_scale", *self.init_scale, *self.depth)
    }

    /// What tables and figures call the methods, with their hues.
    pub fn hues(&self) -> Vec<(&'static str, Hue)> {
        self.names.iter().map(|&name| (self.label(name), crate::palette::method(name))).collect()
    }

    /// What tables and figures call a method.
    pub fn label(&self, name: MethodName) -> &'static str {
        self.method(name, *self.rank).label()
    }

    /// A method with its settings and inner width `rank`.
    pub fn method(&self, name: MethodName, rank: usize) -> Method {
        let (depth, init_scale) = (*self.depth, *self.init_scale);
        let (frequency, orthogonality) = (*self.sine_frequency, *self.adalora_orthogonality);
        match name {
            MethodName::Lora => Method::Lora(Lora { rank, zero: ZeroFactor::Output }),
            MethodName::DeepLora => Method::DeepLora(DeepLora { rank: Width::Narrow(rank), depth, init_scale }),
            MethodName::SineLora => Method::SineLora(SineLora { rank, frequency }),
            MethodName::Adalora => Method::Adalora(Adalora { rank, orthogonality }),
        }
    }
}

/// Checks the depth L of Deep LoRA.
pub fn check_deep(depth: Depth, key: &str) -> Result<(), Invalid> {
    check_depth_from(key, *depth, 3)
}

/// `[[protocols]]`: how the step sizes of LoRA and Deep LoRA were come by, and what they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// What tables and figures call it.
    pub name: String,
    /// η of LoRA.
    pub lora: StepSize,
    /// η of Deep LoRA.
    pub deep_lora: StepSize,
}

/// A step size η: one for all tasks, or one for each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a number, or a table with one for every task, such as { stsb = 1e-3, others = 1e-4 }")]
pub enum StepSize {
    /// For all tasks.
    Same(f64),
    /// By name of the task; [`OTHERS`] for those that are not named.
    ByTask(BTreeMap<String, f64>),
}

/// The key of the step size for all tasks that are not named.
pub const OTHERS: &str = "others";

impl StepSize {
    /// The one for a task, if there is one.
    fn get(&self, task: &str) -> Option<f64> {
        match self {
            Self::Same(step_size) => Some(*step_size),
            Self::ByTask(step_sizes) => step_sizes.get(task).or_else(|| step_sizes.get(OTHERS)).copied(),
        }
    }

    /// The one for a task.
    ///
    /// # Panics
    /// If there is none, which [`check_protocols`] excludes.
    pub fn of(&self, task: &str) -> f64 {
        self.get(task).expect("a step size for every task")
    }

    fn check(&self, key: &str, tasks: &[String]) -> Result<(), Invalid> {
        if let Self::ByTask(step_sizes) = self {
            let known = known_tasks();
            for (task, step_size) in step_sizes {
                let allowed = || format!("{}, {OTHERS}", known.join(", "));
                Invalid::unless(task == OTHERS || known.contains(&task.as_str()), key, task, allowed())?;
                check_positive(&format!("{key}.{task}"), *step_size)?;
            }
        }
        for task in tasks {
            let step_size = self.get(task);
            Invalid::unless(step_size.is_some(), key, format!("none for {task}"), "a step size for every task")?;
            step_size.map_or(Ok(()), |step_size| check_positive(key, step_size))?;
        }
        Ok(())
    }
}

impl Protocol {
    /// Its name with a task's step sizes.
    pub fn in_title(&self, task: &str) -> String {
        let (name, lora, deep_lora) = (&self.name, self.lora.of(task), self.deep_lora.of(task));
        let [one, other] = [lora, deep_lora].map(|step_size| significant(step_size, 1));
        if lora == deep_lora { format!("{name} {one}") } else { format!("{name} {one}, {other}") }
    }

    /// Its name with the step sizes if all tasks have the same.
    pub fn in_title_of_all(&self) -> String {
        match (&self.lora, &self.deep_lora) {
            (StepSize::Same(_), StepSize::Same(_)) => self.in_title(OTHERS),
            _ => format!("{} per task", self.name),
        }
    }
}

/// Checks `[[protocols]]`: at least one, each name once, step sizes for every task.
pub fn check_protocols(protocols: &[Protocol], tasks: &[String]) -> Result<(), Invalid> {
    let names: Vec<&str> = protocols.iter().map(|protocol| protocol.name.as_str()).collect();
    Invalid::unless(!names.is_empty(), "protocols", "[]", "at least one protocol")?;
    for (i, protocol) in protocols.iter().enumerate() {
        let name = &protocol.name;
        Invalid::unless(!name.is_empty(), format!("protocols.{i}.name"), "\"\"", "a name")?;
        Invalid::unless(!names[..i].contains(&name.as_str()), format!("protocols.{i}.name"), name, "each name once")?;
        protocol.lora.check(&format!("protocols.{i}.lora"), tasks)?;
        protocol.deep_lora.check(&format!("protocols.{i}.deep_lora"), tasks)?;
    }
    Ok(())
}

/// The tasks that settings may name.
pub fn known_tasks() -> Vec<&'static str> {
    let tasks = [Task::MovieSentiment].into_iter().chain(Task::GLUE);
    tasks.map(Task::name).chain([super::made_up::TASK]).collect()
}

/// Checks names of tasks.
pub fn check_tasks(tasks: &[String]) -> Result<(), Invalid> {
    let known = known_tasks();
    let is_known = |task: &String| known.contains(&task.as_str());
    tasks
        .iter()
        .enumerate()
        .try_for_each(|(i, task)| Invalid::unless(is_known(task), format!("tasks.{i}"), task, known.join(", ")))
}

/// Checks the adapted matrices of an experiment whose adapters form `ΔW`: that of the embeddings would be vocabulary × hidden.
pub fn check_formed(adapted: Selection) -> Result<(), Invalid> {
    let allowed = "\"query-value\" or \"attention-mlp\": embeddings cannot be adapted at full width";
    Invalid::unless(adapted != Selection::AllDense, "adapted", "\"all-dense\"", allowed)
}

/// Columns and panel width of a figure with a panel for each protocol and task.
pub fn grid(tasks: usize, protocols: usize) -> (usize, u32) {
    match if tasks > 1 { tasks } else { protocols } {
        0 | 1 => (1, 900),
        columns => (columns, 460),
    }
}

/// Which matrices are adapted, in words.
pub fn adapted_in_words(selection: Selection) -> &'static str {
    match selection {
        Selection::QueryValue => "query and value",
        Selection::AttentionMlp => "attention and MLP",
        Selection::AllDense => "all dense matrices",
    }
}

/// `[methods]` of experiments with LoRA and Deep LoRA only.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairSettings {
    /// L of Deep LoRA.
    pub depth: Depth,
    /// ε of Deep LoRA.
    pub init_scale: Positive,
}

impl PairSettings {
    /// Checks the section `[methods]`.
    pub fn check(&self) -> Result<(), Invalid> {
        check_deep(self.depth, "methods.depth")?;
        check_init_scale_single("methods.init_scale", *self.init_scale, *self.depth)
    }

    /// LoRA and Deep LoRA with inner width `rank`, each with its step size for a task.
    pub fn pair(&self, protocol: &Protocol, task: &str, rank: usize) -> [(Method, f64); 2] {
        let (depth, init_scale) = (*self.depth, *self.init_scale);
        let lora = Method::Lora(Lora { rank, zero: ZeroFactor::Output });
        let deep = Method::DeepLora(DeepLora { rank: Width::Narrow(rank), depth, init_scale });
        [(lora, protocol.lora.of(task)), (deep, protocol.deep_lora.of(task))]
    }
}
