//! A peer: a Python process that is told what to do by a line of JSON, and answers with one.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use anyhow::{Context, Error, Result, anyhow};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::environment::{Environment, last_lines};
use crate::samples::{Contender, Measured, Quartiles};
use crate::tensors::Matrices;

/// Settings of the shell that would change how a peer runs; each runs as its packages come.
const SETTINGS: [&str; 3] = ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "XLA_FLAGS"];

/// A running peer.
#[derive(Debug)]
pub struct Worker {
    name: String,
    version: String,
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    log: PathBuf,
}

/// What a peer says when it is ready.
#[derive(Deserialize)]
struct Ready {
    name: String,
    version: String,
}

impl Worker {
    /// Starts `script` in the environment with so many threads; what it says besides answers goes to a file in `scratch`.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(environment: &Environment, script: &Path, threads: usize, scratch: &Path) -> Result<Self> {
        let label = script.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let log = scratch.join(&label).with_extension("log");
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = environment.python();
        SETTINGS.iter().for_each(|name| {
            command.env_remove(name);
        });
        for name in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BENCH_THREADS"] {
            command.env(name, threads.to_string());
        }
        let offline = [("HF_HUB_OFFLINE", "1"), ("TOKENIZERS_PARALLELISM", "false"), ("PYTHONDONTWRITEBYTECODE", "1")];
        command.arg(script).envs(offline).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        let mut child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut worker = Self { name: label, version: String::new(), child, questions, answers, log };
        let ready: Ready = worker.answer()?;
        (worker.name, worker.version) = (ready.name, ready.version);
        Ok(worker)
    }

    /// What it calls itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its samples gave.
    pub fn measured(&self, seconds: Quartiles, gradient_difference: f64) -> Measured {
        let (peer, version) = (self.name.clone(), self.version.clone());
        Measured { peer, version, seconds, gradient_difference: Some(gradient_difference) }
    }

    /// Hands it what it needs for a case.
    ///
    /// # Errors
    /// If the peer fails.
    pub fn load(&mut self, question: &Value) -> Result<()> {
        self.ask::<Loaded>(question).map(|_| ())
    }

    /// Its loss where the factors start, and its gradients by way of a file in `scratch`.
    ///
    /// # Errors
    /// If the peer fails, or the file cannot be read.
    pub fn evaluate(&mut self, scratch: &Path) -> Result<(f64, Matrices)> {
        let path = scratch.join("gradients.safetensors");
        let Evaluated { loss } = self.ask(&json!({ "do": "evaluate", "gradients": path }))?;
        Ok((loss, Matrices::read(&path)?))
    }

    /// Asks one thing and waits for the answer; it is an error if the peer fails, or answers something else.
    fn ask<A: DeserializeOwned>(&mut self, question: &Value) -> Result<A> {
        let line = format!("{question}\n");
        let sent = self.questions.as_mut().expect("open until dropped").write_all(line.as_bytes());
        // A peer that has gone says more in its log than the broken pipe does.
        if sent.is_err() {
            return Err(self.gone());
        }
        self.answer()
    }

    fn answer<A: DeserializeOwned>(&mut self) -> Result<A> {
        let mut line = String::new();
        if self.answers.read_line(&mut line).map_err(|error| self.failed(error))? == 0 {
            return Err(self.gone());
        }
        let answer: Value = serde_json::from_str(&line).map_err(|error| self.failed(error))?;
        if let Some(error) = answer.get("error") {
            return Err(self.failed(error.as_str().unwrap_or("without a reason")));
        }
        serde_json::from_value(answer).map_err(|error| self.failed(error))
    }

    fn failed(&self, why: impl std::fmt::Display) -> Error {
        anyhow!("the peer {} failed: {why}", self.name)
    }

    fn gone(&self) -> Error {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        anyhow!("the peer {} stopped; it said:\n{}", self.name, last_lines(&said))
    }
}

/// An answer to `load`.
#[derive(Deserialize)]
struct Loaded {}

/// An answer to `evaluate`.
#[derive(Deserialize)]
struct Evaluated {
    loss: f64,
}

/// An answer to `run`.
#[derive(Deserialize)]
struct Ran {
    seconds: f64,
}

impl Contender for Worker {
    fn run(&mut self, iterations: usize) -> Result<f64> {
        let ran: Ran = self.ask(&json!({ "do": "run", "iterations": iterations }))?;
        Ok(ran.seconds)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The end of its input ends it. One that is stuck is killed; one that has gone cannot be, and need not.
        drop(self.questions.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
