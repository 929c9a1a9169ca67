//! Templates in their request, ready to be rendered.

use super::error::TemplateError;
use super::field::{Field, Moment};
use super::filter::filtered;
use super::piece::{Column, Piece};
use super::{Place, Template};

/// Where a column is at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellRef {
    /// Index of the feed.
    pub feed: u16,
    /// Index among the escaped columns of the feed.
    pub column: u16,
}

/// The rows that a request uses.
pub trait Cells {
    /// The escaped value of a column.
    fn cell(&self, slot: CellRef) -> &[u8];
}

/// No rows, for requests that use no feed.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCells;

impl Cells for NoCells {
    fn cell(&self, _: CellRef) -> &[u8] {
        &[]
    }
}

/// What the templates of a plan have in common on one driver.
pub struct Context<'a> {
    /// The seed of the plan.
    pub seed: u64,
    /// The driver's node id.
    pub driver: &'a str,
    /// Finds a column with its filter; `None` if it was not loaded.
    pub slot: &'a dyn Fn(&Column) -> Option<CellRef>,
    /// Number of generated fields before the next template. The fields of a plan are numbered through.
    pub fields: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Op {
    /// Text up to this position.
    Text(usize),
    Field(Field),
    Cell(CellRef),
}

/// A sequence of texts, generated fields and columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compiled {
    text: Vec<u8>,
    ops: Vec<Op>,
}

impl Compiled {
    /// Appends text.
    pub fn text(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        self.text.extend_from_slice(text);
        let end = self.text.len();
        match self.ops.last_mut() {
            Some(Op::Text(last)) => *last = end,
            _ => self.ops.push(Op::Text(end)),
        }
    }

    /// Appends another sequence.
    pub fn append(&mut self, other: Compiled) {
        let mut begin = 0;
        for op in other.ops {
            match op {
                Op::Text(end) => {
                    self.text(&other.text[begin..end]);
                    begin = end;
                }
                op => self.ops.push(op),
            }
        }
    }

    /// Appends a template.
    ///
    /// # Errors
    /// A column that was not loaded, or a node id that cannot stand here.
    pub fn template(
        &mut self,
        template: &Template,
        place: Place,
        context: &mut Context,
    ) -> Result<(), TemplateError> {
        for piece in template.pieces() {
            match piece {
                Piece::Text(text) => self.text(text),
                Piece::Driver { filter, at } => {
                    let id = filtered(*filter, context.driver.as_bytes());
                    let wrong = |why| format!("the node id {:?} {why}", context.driver);
                    place.check(&id).map_err(|why| TemplateError::new(at.clone(), wrong(why)))?;
                    self.text(&id);
                }
                Piece::Column(column) => {
                    let missing = || format!("{}.{} is not loaded", column.feed, column.column);
                    let slot = (context.slot)(column);
                    let slot = slot.ok_or_else(|| TemplateError::new(column.at.clone(), missing()))?;
                    self.ops.push(Op::Cell(slot));
                }
                Piece::Function(function, is_base64) => {
                    let field = Field::new(function.clone(), *is_base64, context.seed, context.fields);
                    self.ops.push(Op::Field(field));
                    context.fields += 1;
                }
            }
        }
        Ok(())
    }

    /// Its length in bytes, if it always has the same.
    pub fn width(&self) -> Option<usize> {
        self.ops.iter().try_fold(self.text.len(), |sum, op| match op {
            Op::Text(_) => Some(sum),
            Op::Field(field) => Some(sum + field.width()?),
            Op::Cell(_) => None,
        })
    }

    /// The whole text, if it is always the same.
    pub fn constant(&self) -> Option<&[u8]> {
        self.ops.iter().all(|op| matches!(op, Op::Text(_))).then_some(&self.text)
    }

    /// Whether it depends on the time of sending.
    pub fn tells_time(&self) -> bool {
        self.ops.iter().any(|op| matches!(op, Op::Field(field) if field.tells_time()))
    }

    /// Appends what one request sends.
    #[inline]
    pub fn render<C: Cells>(&self, moment: &Moment, cells: &C, out: &mut Vec<u8>) {
        let mut begin = 0;
        for op in &self.ops {
            match op {
                Op::Text(end) => {
                    out.extend_from_slice(&self.text[begin..*end]);
                    begin = *end;
                }
                Op::Field(field) => field.render(moment, out),
                Op::Cell(slot) => out.extend_from_slice(cells.cell(*slot)),
            }
        }
    }

    /// The same as bytes with gaps, if it always has the same length.
    pub fn patched(&self) -> Option<Patched> {
        let mut bytes = Vec::with_capacity(self.width()?);
        let (mut patches, mut begin) = (Vec::new(), 0);
        for op in &self.ops {
            match op {
                Op::Text(end) => {
                    bytes.extend_from_slice(&self.text[begin..*end]);
                    begin = *end;
                }
                Op::Field(field) => {
                    let at = bytes.len();
                    bytes.resize(at + field.width()?, 0);
                    patches.push((at, bytes.len(), field.clone()));
                }
                Op::Cell(_) => return None,
            }
        }
        Some(Patched { bytes, patches })
    }
}

/// Bytes of which some places change from request to request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patched {
    bytes: Vec<u8>,
    patches: Vec<(usize, usize, Field)>,
}

impl Patched {
    /// What one request sends.
    #[inline]
    pub fn render(&mut self, moment: &Moment) -> &[u8] {
        for (begin, end, field) in &self.patches {
            field.patch(moment, &mut self.bytes[*begin..*end]);
        }
        &self.bytes
    }

    /// What was rendered last.
    pub fn last(&self) -> &[u8] {
        &self.bytes
    }
}
