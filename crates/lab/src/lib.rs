//! Experiment machinery: settings, trials, result store, progress, provenance, claims.
