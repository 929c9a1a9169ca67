//! Names of saved runs: `20261128T171010Z-<test_id>`, so that they sort by their start.

use crate::plan::limits::TEST_ID_CHARS;
use crate::units::{MS_PER_DAY, utc_stamp};

/// Length of a time in a name.
const STAMP_CHARS: usize = 16;

/// The folder of a test that began at `at_ms`, in ms since 1970.
///
/// # Errors
/// The id cannot be part of a file name.
pub fn folder(at_ms: f64, test_id: &str) -> Result<String, String> {
    check_id(test_id)?;
    Ok(format!("{}-{test_id}", utc_stamp(at_ms)))
}

/// The time (ms since 1970) and the test id in a folder's name; `None` if it is not the name of a saved run.
pub fn parse(name: &str) -> Option<(i64, &str)> {
    let (at, rest) = name.split_at_checked(STAMP_CHARS)?;
    let test_id = rest.strip_prefix('-')?;
    check_id(test_id).ok()?;
    Some((parse_stamp(at)?, test_id))
}

/// Whether a file name may contain it.
pub fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._:-".contains(c)
}

/// Test ids have been checked before, but records come from other programs.
///
/// # Errors
/// What is allowed.
pub fn check_id(test_id: &str) -> Result<(), String> {
    if test_id.is_empty() || test_id.len() > TEST_ID_CHARS || !test_id.chars().all(is_allowed) {
        let shown = crate::units::clip(test_id, TEST_ID_CHARS);
        return Err(format!(
            "test_id {shown:?} cannot be part of a file name: use 1 to {TEST_ID_CHARS} letters, digits and \
             the characters . _ : -"
        ));
    }
    Ok(())
}

fn parse_stamp(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
        digits.parse::<i64>().ok()
    };
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
    let ms = days(year, month, day) * MS_PER_DAY + (hour * 3_600 + minute * 60 + second) * 1_000;
    // Only what is written the same way again was a date.
    (utc_stamp(ms as f64) == text).then_some(ms)
}

/// The day counted from 1970-01-01 of a date. Years begin in March, so that leap days come last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{LAST_MS, utc};
    use proptest::prelude::*;

    #[test]
    fn a_name_holds_start_and_id() {
        let name = folder(1_795_885_810_999.0, "run-1:a.b_c").expect("a name");
        assert_eq!(name, "20261128T171010Z-run-1:a.b_c");
        assert_eq!(parse(&name), Some((1_795_885_810_000, "run-1:a.b_c")));
        assert_eq!(utc(1_795_885_810_999.0), "2026-11-28T17:10:10Z");
        assert_eq!(folder(-5.0, "t").expect("a name"), "19700101T000000Z-t");
        assert_eq!(folder(f64::INFINITY, "t").expect("a name"), "99991231T235959Z-t");
        assert_eq!(folder(f64::NAN, "t").expect("a name"), "19700101T000000Z-t");
        assert_eq!(folder(951_782_400_000.0, "t").expect("a name"), "20000229T000000Z-t");
    }

    #[test]
    fn other_names_are_no_runs() {
        let long = format!("20261128T171010Z-{}", "x".repeat(129));
        for name in [
            "",
            "20261128T171010Z",
            "20261128T171010Z-",
            "20261328T171010Z-t",
            "20260230T171010Z-t",
            "20261128T251010Z-t",
            "20261128T171010Z-a/b",
            "20261128T171010Z-a b",
            "2026112éT171010Z-t",
            "+0261128T171010Z-t",
            "notes.txt",
            ".saving-1-2",
            &long,
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
    }

    #[test]
    fn an_id_cannot_leave_the_folder() {
        for id in ["", "a/b", "..\\x", "a\0b", "é", "a b", &"x".repeat(129)] {
            assert!(folder(0.0, id).is_err_and(|e| e.contains("file name")), "{id:?}");
        }
        // Dots alone are part of a longer name here.
        assert_eq!(folder(0.0, "..").expect("a name"), "19700101T000000Z-..");
    }

    proptest! {
        #[test]
        fn every_second_is_read_back(ms in 0..=LAST_MS) {
            let name = folder(ms as f64, "t").expect("a name");
            prop_assert_eq!(parse(&name), Some((ms / 1_000 * 1_000, "t")));
        }
    }
}
