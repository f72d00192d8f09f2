//! What is needed around generated texts: the E2E NLG data.

pub mod e2e;
