//! A queue of slots with removal from the middle in constant time and without allocation.
//!
//! All requests have the same timeout, so slots in order of sending are also in order of their deadlines: the
//! front expires next, and no per-request timer is needed.

const NONE: u32 = u32::MAX;
/// Marks a slot that is not in the queue; the last slot has `NONE` as its `next`.
const ABSENT: u32 = u32::MAX - 1;

/// A doubly linked list of slot numbers.
#[derive(Debug)]
pub struct Order {
    links: Vec<Link>,
    head: u32,
    tail: u32,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    prev: u32,
    next: u32,
}

impl Order {
    /// An empty queue for slots `0..slots`.
    pub fn new(slots: usize) -> Order {
        Order { links: vec![Link { prev: NONE, next: ABSENT }; slots], head: NONE, tail: NONE }
    }

    /// The slot that has been in the queue longest.
    #[inline]
    pub fn front(&self) -> Option<u32> {
        (self.head != NONE).then_some(self.head)
    }

    /// Appends a slot; one that is already there keeps its place.
    pub fn push_back(&mut self, slot: u32) {
        if self.links[slot as usize].next != ABSENT {
            return;
        }
        self.links[slot as usize] = Link { prev: self.tail, next: NONE };
        match self.tail {
            NONE => self.head = slot,
            tail => self.links[tail as usize].next = slot,
        }
        self.tail = slot;
    }

    /// Removes a slot, if present.
    pub fn remove(&mut self, slot: u32) {
        let Link { prev, next } = self.links[slot as usize];
        if next == ABSENT {
            return;
        }
        match prev {
            NONE => self.head = next,
            prev => self.links[prev as usize].next = next,
        }
        match next {
            NONE => self.tail = prev,
            next => self.links[next as usize].prev = prev,
        }
        self.links[slot as usize].next = ABSENT;
    }

    /// Removes the front.
    pub fn pop_front(&mut self) -> Option<u32> {
        let slot = self.front()?;
        self.remove(slot);
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_behaves_like_a_list_without_duplicates(
            steps in prop::collection::vec((0u8..3, 0u32..8), 0..200),
        ) {
            let mut order = Order::new(8);
            let mut model: Vec<u32> = Vec::new();
            for (step, slot) in steps {
                match step {
                    0 if !model.contains(&slot) => { order.push_back(slot); model.push(slot); }
                    0 => order.push_back(slot),
                    1 => { order.remove(slot); model.retain(|s| *s != slot); }
                    _ => {
                        let expected = (!model.is_empty()).then(|| model.remove(0));
                        prop_assert_eq!(order.pop_front(), expected);
                    }
                }
                prop_assert_eq!(order.front(), model.first().copied());
            }
        }
    }
}
