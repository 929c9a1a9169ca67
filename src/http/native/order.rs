//! A queue of slots from whose middle one can be taken in constant time, without allocation.
//!
//! All requests have the same timeout, so slots in the order of their sends are in the order of their deadlines:
//! the front is the next to expire, and no timer is needed for each request.

const NONE: u32 = u32::MAX;
/// Marks a slot that is not in the queue; as `next` of the last one `NONE` stands.
const ABSENT: u32 = u32::MAX - 1;

/// A doubly linked list through slot numbers.
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

    /// Appends a slot; one that is there already keeps its place.
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

    /// Takes a slot out; nothing happens where it is not in the queue.
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

    /// Takes the front.
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
        fn it_behaves_as_a_list_without_doubles(steps in prop::collection::vec((0u8..3, 0u32..8), 0..200)) {
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
