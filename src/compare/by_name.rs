//! The requests of runs that have several, name by name.

use super::document::NamedComparison;
use super::judge::ALPHA;
use super::run::Run;
use super::{Design, Settings, judged, sentence};

/// Compares the requests of every name that all runs have, in the order of the first run of A. `reasons` say
/// why the runs must not be compared.
pub fn by_name(a: &[Run], b: &[Run], settings: &Settings, reasons: &[String]) -> Vec<NamedComparison> {
    let names = a.first().map_or(&[][..], |run| &run.requests).iter().map(|one| one.name.as_str());
    let sides = names.filter_map(|name| Some((name, of_name(a, name)?, of_name(b, name)?)));
    let sides: Vec<(&str, Vec<Run>, Vec<Run>)> = sides.collect();
    let alpha = ALPHA / sides.len().max(1) as f64;
    let compared = |(name, a, b): &(&str, Vec<Run>, Vec<Run>)| {
        let figures = judged(&Design::of(a, b, settings), a, b, settings, alpha, reasons);
        let (outcome, sentence) = sentence::of(&figures, reasons);
        let confidence = (1e4 * (1.0 - alpha)).round() / 100.0;
        NamedComparison { name: (*name).to_owned(), outcome, sentence, confidence, figures }
    };
    sides.iter().map(compared).collect()
}

/// The requests with this name of each run; `None` if a run has none.
fn of_name(runs: &[Run], name: &str) -> Option<Vec<Run>> {
    runs.iter().map(|run| run.requests.iter().find(|one| one.name == name).cloned()).collect()
}
