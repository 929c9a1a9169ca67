//! Templates: text with `{{…}}` in the path and query of a URL, in header values and in bodies.
//!
//! A template is parsed once, when a plan is read, and compiled once on each driver, when feeds and node id
//! are known. What a request sends is then a pure function of the plan's seed, the ticket, the time of
//! sending and the rows: a request that is written in several steps or sent again has the same bytes.

mod compiled;
mod error;
mod field;
mod filter;
mod function;
mod hash;
mod parse;
mod piece;
mod place;

pub use compiled::{CellRef, Cells, Compiled, Context, NoCells, Patched};
pub use error::TemplateError;
pub use field::{MAX_INT, MAX_RANDOM, Moment, WARMUP_COUNTER, decimal};
pub use filter::Filter;
pub use hash::{Random, key};
pub use parse::{MAX_EXPRESSIONS, has_expression};
pub use piece::Column;
use piece::Piece;
pub use place::Place;

/// A template that writes `{{`.
const OPEN: &str = "{{'{{'}}";

/// A template that writes this text, in which `{{` does not begin an expression.
pub fn as_text(text: &str) -> String {
    text.replace("{{", OPEN)
}

/// The same for bytes.
pub fn as_bytes(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    while let Some(at) = bytes.windows(2).position(|pair| pair == b"{{") {
        out.extend_from_slice(&bytes[..at]);
        out.extend_from_slice(OPEN.as_bytes());
        bytes = &bytes[at + 2..];
    }
    out.extend_from_slice(bytes);
    out
}

/// A parsed template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

impl Template {
    /// Parses a text.
    ///
    /// # Errors
    /// The first wrong expression, with its place in the text.
    pub fn parse(text: &[u8]) -> Result<Template, TemplateError> {
        parse::parse(text).map(|pieces| Template { pieces })
    }

    /// A text without expressions.
    pub fn literal(text: &[u8]) -> Template {
        Template { pieces: vec![Piece::Text(text.to_vec())] }
    }

    /// The text, if it is the same for every request and driver.
    pub fn constant(&self) -> Option<&[u8]> {
        match &self.pieces[..] {
            [] => Some(&[]),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The columns that it uses.
    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Column(column) => Some(column),
            _ => None,
        })
    }

    /// The text with an `x` for every expression, to check what surrounds them.
    pub fn sample(&self) -> Vec<u8> {
        let parts = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => &text[..],
            _ => b"x",
        });
        parts.collect::<Vec<_>>().concat()
    }

    /// Checks the texts that may be chosen at run time. Text outside of expressions is not checked.
    ///
    /// # Errors
    /// A text of a `choice` that cannot stand in this place.
    pub fn check(&self, place: Place) -> Result<(), String> {
        for piece in &self.pieces {
            let Piece::Function(field::Function::Choice(texts), _) = piece else { continue };
            for text in texts {
                let shown = crate::units::clip(&String::from_utf8_lossy(text), 40);
                place.check(text).map_err(|why| format!("choice {shown:?} {why}"))?;
            }
        }
        Ok(())
    }

    fn pieces(&self) -> &[Piece] {
        &self.pieces
    }
}

#[cfg(test)]
mod tests;
