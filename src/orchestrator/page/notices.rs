//! Why what is shown may be out of date.

use crate::clock::NS_PER_MS;
use crate::orchestrator::dashboard::{Dashboard, FleetRow};
use crate::orchestrator::fleet::DEAD_AFTER_NS;
use maud::{Markup, html};

/// A driver that is silent for this long is dead while the bus is read. If it counts as alive, the bus is not
/// read.
const STALE_MS: u64 = DEAD_AFTER_NS / NS_PER_MS + 1_000;

/// What the test says of its figures, else what the fleet's silence says.
pub fn all(dashboard: &Dashboard) -> Markup {
    let of_test = dashboard.test.iter().flat_map(|test| &test.notices);
    let of_test: Vec<_> = of_test.map(|text| format!("These figures are not up to date: {text}")).collect();
    let of_fleet = silence(&dashboard.fleet).filter(|_| of_test.is_empty());
    html! {
        @for text in of_test.iter().chain(&of_fleet) { p.notice { (text) } }
    }
}

/// Whether nobody could be heard for a while, although all seems well.
fn silence(fleet: &[FleetRow]) -> Option<String> {
    let living = fleet.iter().filter(|node| node.state == "alive");
    let newest_ms = living.filter_map(|node| node.last_seen_ms).min()?;
    (newest_ms > STALE_MS).then(|| {
        let seconds = newest_ms / 1_000;
        format!(
            "No driver could be heard for {seconds} s: Kafka may be unavailable. The drivers below are shown \
             as they were then."
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: &str, last_seen_ms: Option<u64>) -> FleetRow {
        FleetRow { state: state.to_owned(), last_seen_ms, ..FleetRow::default() }
    }

    #[test]
    fn a_fleet_that_nobody_hears_says_how_old_it_is() {
        assert_eq!(silence(&[]), None);
        assert_eq!(silence(&[row("dead", Some(60_000)), row("alive", None)]), None);
        assert_eq!(silence(&[row("alive", Some(60_000)), row("alive", Some(900))]), None, "one is heard");
        let text = silence(&[row("alive", Some(60_000)), row("alive", Some(12_345))]).expect("a notice");
        assert!(text.starts_with("No driver could be heard for 12 s: Kafka may be unavailable."), "{text}");
    }
}
