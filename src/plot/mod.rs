//! Plots as SVG, from the seconds of a result.
//!
//! ```text
//! seconds ─▶ timeline (merged where there are too many) ─▶ course ─┐
//! histograms ─▶ distribution ─────────────────────────────────────┴▶ figure ─▶ panel ─▶ axis, path
//! ```
//!
//! Every function returns one `<figure>`: a caption with the last values, the plot, and the same figures as a
//! table. Colours and dash patterns come from [`STYLE`], which the document must contain; a figure needs no
//! script and no inline style. Texts are escaped by `maud`. Pure functions.
//!
//! `plotters` with its SVG backend would add 139 KB to a stripped static binary, which is little, but it
//! writes colours as attributes: no dark mode by style sheet, no hatching, no text that keeps its size.

mod axis;
mod course;
mod distribution;
mod figure;
mod panel;
mod path;
mod text;
mod timeline;

pub use course::{Compared, errors, generator, latency, overlay, rate};
pub use distribution::{histogram, percentiles};
pub use figure::Table;
pub use panel::{Limit, Mark};
pub use text::{elapsed, measured, measured_ms};
pub use timeline::{Bin, MAX_BINS, Timeline};

/// The style of figures. It uses the variables `--paper`, `--line`, `--ink`, `--dim` and `--bad` of the page.
pub const STYLE: &str = include_str!("style.css");
