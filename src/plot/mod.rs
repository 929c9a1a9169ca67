//! Plots as SVG, from the seconds of a result.
