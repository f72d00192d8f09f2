//! How one run is run: fine-tuned, then texts are written.

use adaptation::training::{TextTuning, TrainingError, text_adapters, text_loss};
use adaptation::{AdamW, Adapters, TextModel, TextWriter};
use faer::Par;
use lab::{Memory, Trial, TrialContext, TrialError};
use rand::RngExt;

use super::inputs::{GatheredModel, Inputs, unreadable};
use super::log::Log;
use super::network::Network;
use super::trial::{NlgOutcome, NlgTrial, Tuning, WrittenText};

/// Prompts that are worked on together: what their beams keep of a token is some tens of kilobytes.
const PROMPTS: usize = 16;
/// Texts whose loss is measured together.
const TEXTS: usize = 16;

impl Trial for NlgTrial {
    type Inputs = Inputs;
    type Outcome = NlgOutcome;

    fn memory(&self, inputs: &Inputs) -> Memory {
        super::estimate::memory(self, inputs)
    }

    fn run(&self, inputs: &Inputs, context: &TrialContext) -> Result<NlgOutcome, TrialError> {
        let model = inputs.model(self)?;
        let par = if context.threads > 1 { Par::rayon(context.threads) } else { Par::Seq };
        match &model.network {
            Network::Decoder(network) => self.run_on(network, model, context, par),
            Network::TextToText(network) => self.run_on(network, model, context, par),
        }
    }
}

impl NlgTrial {
    fn run_on<M: TextModel<f32>>(
        &self,
        network: &M,
        model: &GatheredModel,
        context: &TrialContext,
        par: Par,
    ) -> Result<NlgOutcome, TrialError> {
        match &self.tuning {
            None => self.frozen(network, model, par),
            Some(tuning) => self.tuned(tuning, network, model, context, par),
        }
    }

    /// What the model writes as it is.
    fn frozen<M: TextModel<f32>>(
        &self,
        network: &M,
        model: &GatheredModel,
        par: Par,
    ) -> Result<NlgOutcome, TrialError> {
        let none = Adapters::new();
        let loss = text_loss(network, &model.validation, TEXTS, &none, &mut M::Work::default(), par);
        let texts = self.write(model, &network.writer(&none), par)?;
        let (training, validation) = (Vec::new(), vec![(0, loss)]);
        Ok(NlgOutcome { initial_loss: None, training, validation, diverged_at: None, texts })
    }

    fn tuned<M: TextModel<f32>>(
        &self,
        tuning: &Tuning,
        network: &M,
        model: &GatheredModel,
        context: &TrialContext,
        par: Par,
    ) -> Result<NlgOutcome, TrialError> {
        let (examples, plan, seed) =
            (self.examples(tuning, model)?, self.plan(tuning), self.stream("adapters").random());
        let (method, sites) = (&tuning.method, tuning.sites(model));
        let adapters = text_adapters(method, &sites, network, &examples, &plan, seed, par).map_err(failed)?;
        let optimizer = AdamW::new(tuning.optimizer(), &adapters);
        let mut run = TextTuning::new(network, adapters, optimizer, &examples, plan).map_err(failed)?;
        let mut log = Log::new(self, tuning, model, context, par);
        log.resume(&mut run);
        while run.steps_done() < tuning.steps {
            match run.step(par) {
                Ok(loss) => log.observe(&mut run, loss),
                Err(TrainingError::Diverged { step, .. }) => {
                    tracing::warn!("{}: diverged at step {step}; it has no texts", context.label());
                    return Ok(log.outcome(Some(step), Vec::new()));
                }
                Err(error) => return Err(failed(error)),
            }
        }
        // Optimizer and buffers are given back before there is a second model.
        let adapters = run.into_adapters();
        lab::give_back_memory();
        let writer = network.writer(&adapters);
        drop(adapters);
        let texts = self.write(model, &writer, par)?;
        Ok(log.outcome(None, texts))
    }

    /// A text for every meaning representation.
    fn write(&self, model: &GatheredModel, writer: &impl TextWriter, par: Par) -> Result<Vec<WrittenText>, TrialError> {
        let how = self.generation(model);
        let mut texts = Vec::with_capacity(model.prompts.len());
        for prompts in model.prompts.chunks(PROMPTS) {
            for mut ids in writer.write(prompts, &how, par).map_err(unreadable)? {
                let is_finished = ids.pop_if(|id| how.ends.contains(id)).is_some();
                let text = model.tokenizer.decode(&ids).map_err(anyhow::Error::from)?;
                texts.push(WrittenText { text: text.trim().to_owned(), is_finished });
            }
        }
        Ok(texts)
    }
}

fn failed(error: TrainingError) -> TrialError {
    match error {
        TrainingError::Diverged { step, loss } => TrialError::Diverged { iteration: step, loss },
        other => TrialError::Failed(other.into()),
    }
}
