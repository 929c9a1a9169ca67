//! Honest statistics: exact counts, histograms that merge, and the result that is made of them.

pub mod causes;
pub mod counts;
pub mod distribution;
pub mod generator;
pub mod histogram;
pub mod outcome;
pub mod states;
pub mod summary;
pub mod tally;
pub mod times;
pub mod verdict;
