//! Counts and histograms.
pub mod outcome;
