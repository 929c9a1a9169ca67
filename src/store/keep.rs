//! How many saved runs are kept.

use crate::units::{format_count, format_duration, parse_duration};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
/// Longest age, in days.
const MAX_DAYS: u32 = 36_500;

/// What remains when old runs are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The newest ones.
    Newest(usize),
    /// Those that started within this time.
    Within(Duration),
}

impl FromStr for Keep {
    type Err = String;

    fn from_str(text: &str) -> Result<Keep, String> {
        let text = text.trim();
        let most = DAY * MAX_DAYS;
        let age = match text.strip_suffix('d').map(str::parse::<u32>) {
            Some(Ok(days)) => Some(DAY * days.min(MAX_DAYS + 1)),
            _ => parse_duration(text).ok(),
        };
        let count = text.parse::<usize>().ok().filter(|count| *count > 0);
        match (count, age.filter(|age| !age.is_zero() && *age <= most)) {
            (Some(count), _) => Ok(Keep::Newest(count)),
            (None, Some(age)) => Ok(Keep::Within(age)),
            (None, None) => Err("use a number of tests (at least 1), or an age like 30d or 12h".to_owned()),
        }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Keep::Newest(count) => write!(f, "the newest {} are kept", format_count(*count as u64)),
            Keep::Within(age) => write!(f, "those of the last {} are kept", short(*age)),
        }
    }
}

/// An age in its largest whole unit, as a user would write it.
fn short(age: Duration) -> String {
    let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm')];
    let whole = units.into_iter().find(|(s, _)| age.subsec_nanos() == 0 && age.as_secs().is_multiple_of(*s));
    whole.map_or_else(|| format_duration(age), |(s, unit)| format!("{}{unit}", age.as_secs() / s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_or_an_age() {
        let keep = |text: &str| text.parse::<Keep>();
        assert_eq!(keep("100"), Ok(Keep::Newest(100)));
        assert_eq!(keep(" 30d "), Ok(Keep::Within(30 * DAY)));
        assert_eq!(keep("12h"), Ok(Keep::Within(DAY / 2)));
        for bad in ["", "0", "0d", "-1", "x", "1.5", "d", "999999d", "99999999999999999999999d"] {
            assert!(keep(bad).is_err_and(|e| e.contains("30d")), "{bad}");
        }
        for (given, shown) in
            [("30d", "30d"), ("1d", "1d"), ("12h", "12h"), ("36h", "36h"), ("90m", "90m"), ("1500ms", "1.5s")]
        {
            assert_eq!(
                keep(given).map(|keep| keep.to_string()),
                Ok(format!("those of the last {shown} are kept"))
            );
        }
    }
}
