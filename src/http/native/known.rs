//! The head that was parsed last, and what it meant: servers repeat their heads to the byte for as long as their
//! date says the same second, and comparing is many times cheaper than parsing.

/// Longest head that is kept, in bytes.
const MAX_BYTES: usize = 2_048;

/// A head and its meaning. A complete head ends itself, so whatever begins with the same bytes begins with the same
/// head.
#[derive(Clone, Debug)]
pub struct Known<M> {
    bytes: Vec<u8>,
    meaning: Option<M>,
}

impl<M> Default for Known<M> {
    fn default() -> Known<M> {
        Known { bytes: Vec::new(), meaning: None }
    }
}

impl<M: Copy> Known<M> {
    /// The length of the head and what it means, where `input` begins with the one that is known.
    #[inline]
    pub fn recall(&self, input: &[u8]) -> Option<(usize, M)> {
        let meaning = self.meaning?;
        input.starts_with(&self.bytes).then_some((self.bytes.len(), meaning))
    }

    /// What the head that is known meant.
    pub fn meaning(&self) -> Option<M> {
        self.meaning
    }

    /// Takes the place of what was known; without allocation after the first.
    pub fn learn(&mut self, head: &[u8], meaning: M) {
        self.meaning = None;
        if head.len() <= MAX_BYTES {
            self.bytes.clear();
            self.bytes.reserve(MAX_BYTES);
            self.bytes.extend_from_slice(head);
            self.meaning = Some(meaning);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_learned_last_is_known() {
        let mut known = Known::default();
        assert_eq!(known.recall(b"anything"), None);
        known.learn(b"head\n\n", 1);
        assert_eq!(known.recall(b"head\n\nbody"), Some((6, 1)));
        assert_eq!((known.recall(b"head\n"), known.recall(b"heed\n\n")), (None, None));
        known.learn(b"other\n\n", 2);
        assert_eq!((known.recall(b"head\n\n"), known.recall(b"other\n\n")), (None, Some((7, 2))));
        known.learn(&[b'x'; MAX_BYTES + 1], 3);
        assert_eq!((known.recall(b"other\n\n"), known.recall(&[b'x'; MAX_BYTES + 1])), (None, None));
    }
}
