//! A result for other programs and for people who did not see it run: [`markdown`] for step summaries and
//! comments, [`junit`] for CI servers. Pure functions of a [`Summary`](crate::stats::summary::Summary).

mod checks;
mod escape;
pub mod junit;
pub mod markdown;
#[cfg(test)]
mod samples;
