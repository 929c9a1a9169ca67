//! The functions of a template: names and arguments.

use super::error::{TemplateError, shown};
use super::field::{Function, MAX_INT, MAX_RANDOM};
use super::filter::{Filter, filtered};
use super::piece::Piece;
use crate::spelling::nearest;
use std::ops::Range;

/// What an expression may be, for errors.
pub const FORMS: &str =
    "FEED.COLUMN, counter, uuid, int(a,b), choice(a,b,c), random(n), now_ms, now_iso or driver";
/// Maximum number of texts of a choice.
const MAX_CHOICES: usize = 1_000;

const NAMES: [&str; 8] = ["counter", "uuid", "int", "choice", "random", "now_ms", "now_iso", "driver"];
/// Names from other tools, and those they mean.
const MEANT: [(&str, &str); 12] = [
    ("integer", "int"),
    ("rand", "int"),
    ("random_int", "int"),
    ("randomint", "int"),
    ("number", "int"),
    ("guid", "uuid"),
    ("uuid4", "uuid"),
    ("uuidv4", "uuid"),
    ("oneof", "choice"),
    ("timestamp", "now_ms"),
    ("now", "now_ms"),
    ("seq", "counter"),
];

/// One argument.
pub struct Argument {
    /// Its text, without quotes.
    pub text: String,
    /// Where it is written.
    pub at: Range<usize>,
}

/// The piece that a function in a template is. `whole` is where name and arguments are written.
///
/// # Errors
/// An unknown name, or wrong arguments.
pub fn piece(
    (name, at): (&str, Range<usize>),
    whole: Range<usize>,
    arguments: Option<&[Argument]>,
    filter: Option<Filter>,
) -> Result<Piece, TemplateError> {
    let error = |why: &str| TemplateError::new(whole.clone(), format!("{name} {why}"));
    let given = arguments.unwrap_or_default();
    let function = match name {
        "counter" | "uuid" | "now_ms" | "now_iso" | "driver" if !given.is_empty() || name == "driver" => {
            return Err(error("takes no arguments: write it without parentheses"));
        }
        "counter" => Function::Counter,
        "uuid" => Function::Uuid,
        "now_ms" => Function::NowMs,
        "now_iso" => Function::NowIso,
        "int" => match given {
            [low, high] => int(low, high)?,
            _ => return Err(error("takes two whole numbers, the lowest and the highest: int(1,20)")),
        },
        "random" => match given {
            [length] => random(length)?,
            _ => return Err(error("takes a number of letters and digits: random(16)")),
        },
        "choice" if given.is_empty() => {
            return Err(error("takes texts, one of which is chosen: choice(red,green,blue)"));
        }
        "choice" if given.len() > MAX_CHOICES => {
            return Err(error(&format!(
                "takes at most {MAX_CHOICES} texts: use a feed with pick = \"random\""
            )));
        }
        "choice" => Function::Choice(given.iter().map(|one| filtered(filter, one.text.as_bytes())).collect()),
        _ => return Err(TemplateError::new(at, unknown(name))),
    };
    // Texts of a choice are filtered already. All other values consist of characters that need no escapes.
    let is_base64 = filter == Some(Filter::Base64) && name != "choice";
    Ok(Piece::Function(function, is_base64))
}

fn unknown(name: &str) -> String {
    let what = format!("{} is not a function", shown(name));
    let lower = name.to_ascii_lowercase();
    let meant = MEANT.iter().find(|(other, _)| *other == lower).map(|(_, meant)| *meant);
    match meant.or_else(|| nearest(name, &NAMES)) {
        Some(meant) => format!("{what}: did you mean {meant}?"),
        None => format!("{what}: use {FORMS}"),
    }
}

fn int(low: &Argument, high: &Argument) -> Result<Function, TemplateError> {
    let number = |argument: &Argument| {
        let number = argument.text.replace('_', "").parse::<i64>().ok();
        number.filter(|number| number.unsigned_abs() <= MAX_INT.unsigned_abs()).ok_or_else(|| {
            let why = format!("{} must be a whole number, -10^18 to 10^18", shown(&argument.text));
            TemplateError::new(place(argument), why)
        })
    };
    let (lowest, highest) = (number(low)?, number(high)?);
    if lowest > highest {
        let why = format!("the lowest number, {lowest}, is above the highest, {highest}: swap them");
        return Err(TemplateError::new(low.at.start..high.at.end, why));
    }
    Ok(Function::Int(lowest, highest.abs_diff(lowest) + 1))
}

fn random(length: &Argument) -> Result<Function, TemplateError> {
    let count = length.text.parse::<usize>().ok().filter(|count| (1..=MAX_RANDOM).contains(count));
    count.map(Function::Random).ok_or_else(|| {
        let why = format!("{} must be a number of characters, 1 to {MAX_RANDOM}", shown(&length.text));
        TemplateError::new(place(length), why)
    })
}

/// Where an argument is; for a missing one, the character before it.
fn place(argument: &Argument) -> Range<usize> {
    let Range { start, end } = argument.at;
    if start == end { start.saturating_sub(1)..end } else { start..end }
}
