//! Which checks a response failed: one bit for each.

/// The failed checks of one response; none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failed {
    bits: u16,
    /// Whether one of them failed because only the first bytes of the body were kept.
    pub is_truncated: bool,
}

impl Failed {
    /// Whether no check failed.
    #[inline]
    pub fn is_none(self) -> bool {
        self.bits == 0
    }

    /// Adds the check with this index, from 0 to 15.
    pub fn add(&mut self, at: usize) {
        self.bits |= 1u16.checked_shl(at as u32).unwrap_or(0);
    }

    /// The indices of the failed checks, in order.
    pub fn checks(self) -> impl Iterator<Item = usize> {
        (0..u16::BITS as usize).filter(move |at| self.bits >> at & 1 == 1)
    }

    /// A number for each set of failed checks.
    pub fn bits(self) -> u16 {
        self.bits
    }
}
