//! The checks of complete responses.

use super::NativeClient;
use crate::check::Failed;

impl NativeClient {
    /// Which checks the complete response of a slot fails; notes the first ones.
    #[inline]
    pub(super) fn check(&mut self, slot: u32, ended_ns: u64) -> Failed {
        let state = &self.slots[slot as usize];
        let Some(kept) = state.kept.as_ref().filter(|_| !state.ticket().warmup) else {
            return Failed::default();
        };
        let message = &mut self.messages[state.request()];
        let Some(checks) = &message.checks else { return Failed::default() };
        let seen = kept.seen(state.response.status());
        let failed = checks.failed(&seen);
        if !failed.is_none() {
            message.failures.note(ended_ns, failed, &seen);
        }
        failed
    }
}
