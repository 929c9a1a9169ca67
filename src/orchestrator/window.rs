//! Which drivers the dashboard shows: a large fleet is shown in parts, with its totals first.

use super::ApiError;
use super::dashboard::{Dashboard, Part};
use crate::plan::limits;

/// How many drivers `GET /dashboard` lists without `?drivers=`.
const MOST_JSON: usize = 1_000;
/// How many the page lists.
const MOST_PAGE: usize = 100;

/// A part of the fleet, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first one, counted from 1.
    first: usize,
    /// The last one.
    last: usize,
}

impl Default for Window {
    /// What the page shows first.
    fn default() -> Self {
        Window { first: 1, last: MOST_PAGE }
    }
}

impl Window {
    /// The one that `?drivers=101-200` asks for, else the first drivers.
    ///
    /// # Errors
    /// 400 if the range is malformed or too large.
    pub fn of(query: &str, is_page: bool) -> Result<Window, ApiError> {
        let most = if is_page { MOST_PAGE } else { MOST_JSON };
        let asked = query.split('&').find_map(|pair| pair.strip_prefix("drivers="));
        let Some(text) = asked else { return Ok(Window { first: 1, last: most }) };
        let range = text.split_once('-');
        let range = range.and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
        let all = limits::DRIVERS;
        let fits =
            |(first, last): &(usize, usize)| (1..=all).contains(first) && (*first..=all).contains(last);
        match range.filter(fits).filter(|(first, last)| last - first < MOST_JSON) {
            Some((first, last)) => Ok(Window { first, last }),
            None => {
                let text: String = text.chars().take(40).collect();
                let why = format!(
                    "drivers={text}: use a range of at most {MOST_JSON} positions, like drivers=101-200"
                );
                Err(ApiError::new(400, why))
            }
        }
    }

    /// The part of `total` rows that it shows; `None` if it shows them all.
    pub fn part(self, total: usize) -> Option<Part> {
        let is_whole = self.first == 1 && total <= self.last;
        (!is_whole).then(|| Part { first: self.first, last: self.last.min(total), total })
    }

    /// Leaves only this part of the fleet and of the test's drivers.
    pub fn cut(self, dashboard: &mut Dashboard) {
        let of_test = dashboard.test.as_ref().map_or(0, |test| test.drivers.len());
        let Some(part) = self.part(dashboard.fleet.len().max(of_test)) else { return };
        self.keep(&mut dashboard.fleet);
        if let Some(test) = &mut dashboard.test {
            self.keep(&mut test.drivers);
        }
        dashboard.part = Some(part);
    }

    fn keep<T>(self, rows: &mut Vec<T>) {
        rows.truncate(self.last);
        rows.drain(..(self.first - 1).min(rows.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orchestrator::FleetRow;
    use crate::stats::summary::{DriverSummary, Summary};

    fn dashboard(drivers: usize) -> Dashboard {
        let name = |n: usize| format!("d{n}");
        let row = |n| FleetRow { node_id: name(n), ..FleetRow::default() };
        let driver = |n| DriverSummary { node_id: name(n), ..DriverSummary::default() };
        let test = Summary { drivers: (1..=drivers).map(driver).collect(), ..Summary::default() };
        Dashboard { fleet: (1..=drivers).map(row).collect(), test: Some(test), ..Dashboard::default() }
    }

    fn shown(drivers: usize, query: &str, is_page: bool) -> (Vec<String>, Option<Part>) {
        let mut dashboard = dashboard(drivers);
        Window::of(query, is_page).expect("a range").cut(&mut dashboard);
        let names: Vec<String> = dashboard.fleet.iter().map(|row| row.node_id.clone()).collect();
        let rows = dashboard.test.expect("a test").drivers;
        assert!(rows.iter().map(|row| &row.node_id).eq(&names), "the same drivers in both");
        (names, dashboard.part)
    }

    #[test]
    fn a_small_fleet_is_shown_whole_and_a_large_one_in_parts() {
        assert_eq!(shown(100, "", true).1, None);
        let (names, part) = shown(10_000, "", true);
        assert_eq!((names.len(), part), (100, Some(Part { first: 1, last: 100, total: 10_000 })));
        assert_eq!(shown(10_000, "", false).0.len(), 1_000);
        let (names, part) = shown(250, "a=b&drivers=201-300", true);
        assert_eq!((names.len(), names[0].as_str()), (50, "d201"));
        assert_eq!(part, Some(Part { first: 201, last: 250, total: 250 }));
        assert!(shown(5, "drivers=6-9", false).0.is_empty());
    }

    #[test]
    fn a_wrong_range_is_refused() {
        for query in ["drivers=", "drivers=5", "drivers=0-5", "drivers=9-8", "drivers=1-1001", "drivers=a-b"]
        {
            let error = Window::of(query, false).expect_err(query);
            assert!(error.status == 400 && error.message.contains("like drivers=101-200"), "{error}");
        }
    }
}
