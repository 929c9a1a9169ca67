//! Opening connections before they are needed.
//!
//! A server under full load may accept new connections slowly. nginx accepts one per turn of its event loop,
//! and a turn that serves the first hundreds of connections is long. Ten thousand connections opened before
//! the gate cost it nothing.

use super::NativeClient;
use super::slot::{Phase, Slot};
use crate::clock;
use std::time::Duration;

impl NativeClient {
    /// Opens the connections of the first `count` slots, including TLS, and returns how many are open. Ends
    /// after `within`, on STOP, or at the first connection that fails. A missing connection is opened by its
    /// request, which reports the reason. Must be called before the first request.
    pub fn open_ahead(&mut self, count: usize, within: Duration) -> usize {
        debug_assert_eq!(self.free.len(), self.slots.len(), "requests are under way");
        let count = count.min(self.slots.len());
        let until_ns = clock::deadline(within);
        self.is_ahead = true;
        self.open_all(count as u32, until_ns);
        self.is_ahead = false;
        self.ended.clear();
        (0..count as u32).filter(|slot| self.settle(*slot)).count()
    }

    fn open_all(&mut self, count: u32, until_ns: u64) {
        let may_go_on = |client: &Self| {
            client.ended.is_empty() && !client.stop.is_stopped() && clock::now_ns() < until_ns
        };
        for slot in 0..count {
            if !may_go_on(self) {
                return;
            }
            self.want_connection(slot, clock::now_ns());
        }
        while may_go_on(self) && self.opening.front().is_some() {
            self.turn(until_ns);
            self.expire(clock::now_ns());
        }
    }

    /// Closes connections that carry no request.
    pub fn close_idle(&mut self) {
        self.slots.iter_mut().filter(|slot| slot.phase == Phase::Idle).for_each(Slot::close);
    }

    /// Cleans up after an attempt that did not finish. Returns whether the slot's connection is open.
    fn settle(&mut self, slot: u32) -> bool {
        self.leave_opening(slot);
        let state = &mut self.slots[slot as usize];
        if !state.is_ahead {
            state.close();
        }
        state.phase = Phase::Idle;
        state.is_ahead
    }
}
