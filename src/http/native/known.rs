//! Caches the last parsed head and its meaning. Servers repeat their heads byte for byte until their `Date`
//! changes, and comparing is many times cheaper than parsing.

/// Longest head to cache, in bytes.
const MAX_BYTES: usize = 2_048;

/// A head and its meaning. A complete head delimits itself, so input that begins with the same bytes begins
/// with the same head.
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
    /// The length and meaning of the head if `input` begins with the cached one.
    #[inline]
    pub fn recall(&self, input: &[u8]) -> Option<(usize, M)> {
        let meaning = self.meaning?;
        input.starts_with(&self.bytes).then_some((self.bytes.len(), meaning))
    }

    /// The meaning of the cached head.
    pub fn meaning(&self) -> Option<M> {
        self.meaning
    }

    /// Replaces the cached head; allocates only the first time.
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
    fn only_the_last_learned_head_is_known() {
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
