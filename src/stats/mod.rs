//! Honest statistics: exact counts, mergeable histograms, and the result built from them.

pub mod causes;
pub mod check_rows;
pub mod check_samples;
pub mod counts;
pub mod distribution;
pub mod failures;
pub mod generator;
pub mod histogram;
pub mod history;
pub mod openings;
pub mod outcome;
pub mod states;
pub mod summary;
pub mod tallies;
pub mod tally;
pub mod times;
pub mod verdict;
