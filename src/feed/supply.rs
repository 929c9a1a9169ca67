//! The feeds of one driver in one test: which row of each a request takes.

use super::{MAX_FEEDS, Rows, Table, Uses};
use crate::template::{CellRef, Cells, Moment};
use std::sync::Arc;

/// One feed.
#[derive(Clone, Debug)]
pub struct Supplied {
    /// Its rows, which all workers share.
    pub table: Arc<Table>,
    /// Which of them this driver uses.
    pub rows: Rows,
    /// Which of its tickets use the feed.
    pub uses: Uses,
    /// How many uses the warm-up of an open loop has. They come before those of the measurement.
    pub warmups: u64,
}

/// The feeds of a plan, in its order.
#[derive(Clone, Debug, Default)]
pub struct Supply(Vec<Supplied>);

impl Supply {
    /// These feeds, at most [`MAX_FEEDS`].
    pub fn new(feeds: Vec<Supplied>) -> Supply {
        Supply(feeds)
    }

    /// The rows of these feeds for the driver's ticket with this number; the warm-up has numbers of its own.
    #[inline]
    pub fn take(&self, feeds: &[u16], number: u64, moment: &Moment) -> Taken<'_> {
        let mut rows = [0; MAX_FEEDS];
        for index in feeds {
            let (Some(feed), Some(row)) =
                (self.0.get(usize::from(*index)), rows.get_mut(usize::from(*index)))
            else {
                continue;
            };
            let before = if moment.is_warmup { 0 } else { feed.warmups };
            *row = feed.rows.row(before + feed.uses.among(number), moment);
        }
        Taken { supply: self, rows }
    }
}

/// The rows that one request uses.
#[derive(Clone, Debug)]
pub struct Taken<'a> {
    supply: &'a Supply,
    rows: [u64; MAX_FEEDS],
}

impl Cells for Taken<'_> {
    #[inline]
    fn cell(&self, slot: CellRef) -> &[u8] {
        let index = usize::from(slot.feed);
        match (self.supply.0.get(index), self.rows.get(index)) {
            (Some(feed), Some(row)) => feed.table.cell(*row, slot.column),
            _ => &[],
        }
    }
}
