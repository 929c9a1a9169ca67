//! Paths of SVG, as short as they can be: whole units and relative steps.

use std::fmt::Write as _;

/// Width of the drawing in its own units. The browser stretches it to the width of the page.
pub const WIDTH: f64 = 2_000.0;
/// Height of the drawing in its own units.
pub const HEIGHT: f64 = 1_000.0;

/// Half the width of a place without neighbors.
const DOT: i64 = 6;

/// A place in the plot: from 0 to 1 to the right and upwards.
pub type Place = (f64, f64);

/// A line through known places; `None` interrupts it. A place without neighbors becomes a short dash.
pub fn line(places: impl IntoIterator<Item = Option<Place>>) -> String {
    let mut out = String::new();
    let (mut last, mut run) = (None, 0usize);
    for place in places.into_iter().chain([None]) {
        let next = place.map(units);
        match (last, next) {
            (None, Some((x, y))) => {
                let _ = write!(out, "M{x},{y}");
                run = 1;
            }
            (Some(from), Some(to)) => {
                if run == 1 {
                    out.push('l');
                }
                step(&mut out, from, to, run > 1);
                run += 1;
            }
            (Some(_), None) if run == 1 => {
                let _ = write!(out, "m-{0},0h{1}", DOT, 2 * DOT);
            }
            _ => {}
        }
        last = next;
    }
    out
}

/// The areas between two lines, where both are known.
pub fn between(pairs: impl IntoIterator<Item = Option<(Place, Place)>>) -> String {
    let mut out = String::new();
    let mut open: Vec<(Place, Place)> = Vec::new();
    for pair in pairs.into_iter().chain([None]) {
        match pair {
            Some(pair) => open.push(pair),
            None if open.len() > 1 => {
                let there = open.iter().map(|(first, _)| *first);
                let back = open.iter().rev().map(|(_, second)| *second);
                out.push_str(&line(there.chain(back).map(Some)));
                out.push('Z');
                open.clear();
            }
            None => open.clear(),
        }
    }
    out
}

/// Bars from the bottom: left and right end, and height.
pub fn bars(bars: impl IntoIterator<Item = (f64, f64, f64)>) -> String {
    let mut out = String::new();
    for (left, right, height) in bars {
        let ((left, top), (right, bottom)) = (units((left, height)), units((right, 0.0)));
        let _ = write!(out, "M{left},{bottom}V{top}H{right}V{bottom}Z");
    }
    out
}

fn units((x, y): Place) -> (i64, i64) {
    ((x * WIDTH).round() as i64, ((1.0 - y) * HEIGHT).round() as i64)
}

/// `dx dy`; a minus sign separates as well as a space.
fn step(out: &mut String, from: (i64, i64), to: (i64, i64), follows: bool) {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let space = |n: i64| if n < 0 { "" } else { " " };
    let before = if follows { space(dx) } else { "" };
    let _ = write!(out, "{before}{dx}{}{dy}", space(dy));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stop_at_what_is_unknown() {
        let at = |x: f64, y: f64| Some((x, y));
        assert_eq!(line([at(0.0, 0.0), at(0.5, 1.0), at(1.0, 0.5)]), "M0,1000l1000-1000 1000 500");
        assert_eq!(line([at(0.0, 0.0), None, at(0.5, 1.0), at(1.0, 1.0)]), "M0,1000m-6,0h12M1000,0l1000 0");
        assert_eq!(line([at(0.5, 0.5), None, None]), "M1000,500m-6,0h12");
        assert_eq!(line([None, None]), "");
        assert_eq!(line([at(1.0, 1.0), at(0.5, 1.0), at(0.0, 0.0)]), "M2000,0l-1000 0-1000 1000");
    }

    #[test]
    fn areas_and_bars_are_closed() {
        let pair = |x: f64| Some(((x, 1.0), (x, 0.0)));
        assert_eq!(between([pair(0.0), pair(1.0)]), "M0,0l2000 0 0 1000-2000 0Z");
        assert_eq!(between([pair(0.0), None, pair(1.0)]), "", "one place has no area");
        assert_eq!(bars([(0.0, 0.5, 0.25)]), "M0,1000V750H1000V1000Z");
    }
}
