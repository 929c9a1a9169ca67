//! The part of a response that its checks need: header lines, and the first bytes of the body.
//!
//! A parser passes what it sees to a [`Sink`]. [`Dropped`] compiles to nothing, so checks cost nothing if a
//! request has none.

use crate::check::{Checks, Seen};

/// Maximum number of unused buffers that a client keeps; more are needed only while more responses are
/// partly received.
const MAX_SPARE: usize = 64;
/// Maximum capacity that an unused buffer keeps, for the body; larger ones are freed.
const KEPT_CAPACITY: usize = crate::check::limits::DEFAULT_CAPTURE_BYTES;

/// Takes what a parser sees of one response.
pub trait Sink {
    /// The head of the final response.
    fn head(&mut self, status: u16, head: &[u8]);

    /// The next bytes of the body, without framing.
    fn body(&mut self, bytes: &[u8]);
}

/// Takes nothing.
#[derive(Clone, Copy, Debug)]
pub struct Dropped;

impl Sink for Dropped {
    #[inline(always)]
    fn head(&mut self, _: u16, _: &[u8]) {}

    #[inline(always)]
    fn body(&mut self, _: &[u8]) {}
}

/// What was kept of one response. A slot without checks holds none of it, so it is one pointer in size.
#[derive(Debug, Default)]
pub struct Kept(Box<Parts>);

#[derive(Debug, Default)]
struct Parts {
    head: Vec<u8>,
    body: Vec<u8>,
    /// How much of the body to keep.
    most: usize,
    body_bytes: u64,
}

impl Kept {
    /// Whether no more of the body is needed, so that the rest need not be read. Also true before the
    /// head arrives.
    pub fn is_full(&self) -> bool {
        self.0.body.len() >= self.0.most
    }

    /// Counts bytes of the body that nobody saw.
    pub fn skip(&mut self, count: usize) {
        self.0.body_bytes += count as u64;
    }

    /// The complete response.
    pub fn seen(&self, status: u16) -> Seen<'_> {
        let Parts { head, body, body_bytes, .. } = &*self.0;
        Seen { status, head, body, body_bytes: *body_bytes }
    }

    /// Forgets the response, but not the memory for the next one.
    pub fn clear(&mut self) {
        let parts = &mut *self.0;
        parts.head.clear();
        parts.body.clear();
        parts.body.shrink_to(KEPT_CAPACITY);
        (parts.most, parts.body_bytes) = (0, 0);
    }
}

/// Keeps what the checks of a request need.
#[derive(Debug)]
pub struct Keeping<'a> {
    /// What was kept so far.
    pub kept: &'a mut Kept,
    /// The checks.
    pub checks: &'a Checks,
}

impl Keeping<'_> {
    /// The head, if it is known as a list of fields.
    pub fn fields<'f>(&mut self, status: u16, fields: impl Iterator<Item = (&'f str, &'f [u8])>) {
        self.head(status, b"");
        if self.checks.needs_head() {
            for (name, value) in fields {
                self.kept.0.head.extend_from_slice(name.as_bytes());
                self.kept.0.head.extend_from_slice(b": ");
                self.kept.0.head.extend_from_slice(value);
                self.kept.0.head.push(b'\n');
            }
        }
    }
}

impl Sink for Keeping<'_> {
    fn head(&mut self, status: u16, head: &[u8]) {
        self.kept.0.most = self.checks.needs_body(status);
        if self.checks.needs_head() {
            self.kept.0.head.extend_from_slice(head);
        }
    }

    fn body(&mut self, bytes: &[u8]) {
        let parts = &mut *self.kept.0;
        parts.body_bytes += bytes.len() as u64;
        let room = parts.most.saturating_sub(parts.body.len());
        parts.body.extend_from_slice(&bytes[..room.min(bytes.len())]);
    }
}

/// Buffers that no response uses.
#[derive(Debug, Default)]
pub struct Spare(Vec<Kept>);

impl Spare {
    /// An empty buffer.
    pub fn take(&mut self) -> Kept {
        self.0.pop().unwrap_or_default()
    }

    /// Takes a buffer back.
    pub fn give(&mut self, mut kept: Kept) {
        if self.0.len() < MAX_SPARE {
            kept.clear();
            self.0.push(kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Expect;

    #[test]
    fn buffers_are_reused_empty_and_large_ones_shrink() {
        let expect = r#"{"contains": "x", "header": {"a": "exists"}, "capture_bytes": 1000000}"#;
        let expect: Expect = serde_json::from_str(expect).expect("an expectation");
        let checks = Checks::new(&expect, false).expect("valid").expect("checks");
        let mut spare = Spare::default();
        let mut kept = spare.take();
        assert!(kept.is_full());
        let mut keeping = Keeping { kept: &mut kept, checks: &checks };
        keeping.head(200, b"HTTP/1.1 200 OK\nA: b\n\n");
        (0..3).for_each(|_| keeping.body(&[b'y'; 400_000]));
        kept.skip(5);
        let seen = kept.seen(200);
        assert_eq!((seen.body.len(), seen.body_bytes, seen.head.len()), (1_000_000, 1_200_005, 22));
        assert!(kept.is_full());
        spare.give(kept);
        let kept = spare.take();
        let seen = kept.seen(204);
        assert_eq!((seen.body.len(), seen.body_bytes, seen.head.len()), (0, 0, 0));
        assert!((1..=KEPT_CAPACITY).contains(&kept.0.body.capacity()), "{}", kept.0.body.capacity());
        (0..2 * MAX_SPARE).for_each(|_| spare.give(Kept::default()));
        assert_eq!(spare.0.len(), MAX_SPARE);
    }
}
