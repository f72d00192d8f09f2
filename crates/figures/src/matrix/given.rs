//! Committed settings for the tests of pages, as a command line changes them.

use std::path::Path;

use lab::settings::{Override, SettingsError, load};
use serde::de::DeserializeOwned;

/// The settings of a profile with `sets`.
pub fn changed<S: DeserializeOwned + lab::Check>(name: &str, profile: &str, sets: &[&str]) -> Result<S, SettingsError> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../experiments/{name}.toml"));
    let overrides = sets.iter().map(|text| Override::set(text)).collect::<Result<Vec<_>, _>>()?;
    load(&path, profile, &overrides).map(|resolved| resolved.settings)
}

/// The settings of a profile.
pub fn settings<S: DeserializeOwned + lab::Check>(name: &str, profile: &str) -> S {
    changed(name, profile, &[]).unwrap()
}

/// Key and allowed values of the error that the profile "paper" with `sets` ends in.
pub fn refused<S: DeserializeOwned + lab::Check>(name: &str, sets: &[&str]) -> (String, String) {
    match changed::<S>(name, "paper", sets) {
        Err(SettingsError::Invalid { invalid, .. }) => (invalid.key, invalid.allowed),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("{name} takes {sets:?}"),
    }
}
