//! The test ids that were used: none is accepted twice.

use std::collections::{HashSet, VecDeque};

/// Maximum number of ids remembered; the oldest are dropped first. Far more than one installation uses in a
/// year.
pub const MAX_IDS: usize = 100_000;
/// Longer texts are not valid ids and are not kept.
const MAX_ID_CHARS: usize = crate::plan::limits::TEST_ID_CHARS;

/// A bounded memory of test ids.
#[derive(Debug, Default)]
pub struct UsedIds {
    known: HashSet<String>,
    order: VecDeque<String>,
}

impl UsedIds {
    /// Remembers an id; returns false if it was already known.
    pub fn insert(&mut self, id: &str) -> bool {
        if id.len() > MAX_ID_CHARS || !self.known.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > MAX_IDS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }

    /// Whether the id was used.
    pub fn contains(&self, id: &str) -> bool {
        self.known.contains(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once_and_the_memory_is_bounded() {
        let mut ids = UsedIds::default();
        assert!(ids.insert("a"));
        assert!(!ids.insert("a"));
        assert!(ids.contains("a"));
        (0..MAX_IDS).for_each(|n| assert!(ids.insert(&format!("t{n}"))));
        assert!(!ids.contains("a"));
        assert_eq!(ids.known.len(), MAX_IDS);
        assert_eq!(ids.order.len(), MAX_IDS);
    }
}
