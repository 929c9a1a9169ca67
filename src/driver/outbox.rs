//! The reports of one test that wait to be published.
//!
//! A report gets its number at the first attempt to send it, and is then retried unchanged. Of the reports
//! that wait behind it, those at whole seconds are kept, so that a bus outage leaves no hole in the series;
//! any other is replaced by the next one, because reports are cumulative. Beyond a limit the oldest are
//! dropped: the next one includes them.

use std::collections::VecDeque;

/// Maximum number of waiting reports: one minute. A report takes a few KB.
pub const MAX_WAITING: usize = 60;

/// Reports in sending order.
#[derive(Debug)]
pub struct Outbox<T> {
    numbered: u64,
    sending: Option<T>,
    /// Each with whether it is at a whole second.
    waiting: VecDeque<(bool, T)>,
}

impl<T> Default for Outbox<T> {
    fn default() -> Outbox<T> {
        Outbox { numbered: 0, sending: None, waiting: VecDeque::new() }
    }
}

impl<T> Outbox<T> {
    /// Adds a report; replaces the last one if that is not at a whole second.
    pub fn offer(&mut self, report: T, whole_second: bool) {
        if self.waiting.back().is_some_and(|(whole, _)| !*whole) {
            self.waiting.pop_back();
        }
        self.waiting.push_back((whole_second, report));
        if self.waiting.len() > MAX_WAITING {
            self.waiting.pop_front();
        }
    }

    /// The report to send now: the one whose last attempt failed, else the oldest one, with the next number.
    pub fn next(&mut self, number: impl FnOnce(u64, &mut T)) -> Option<&mut T> {
        if self.sending.is_none() {
            let (_, mut report) = self.waiting.pop_front()?;
            self.numbered += 1;
            number(self.numbered, &mut report);
            self.sending = Some(report);
        }
        self.sending.as_mut()
    }

    /// The report was published, or never can be.
    pub fn done(&mut self) {
        self.sending = None;
    }

    /// Drops all waiting reports except the newest, when there is no time for more.
    pub fn keep_newest(&mut self) {
        self.waiting.drain(..self.waiting.len().saturating_sub(1));
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.sending.is_none() && self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was offered, with its number.
    type Numbered = (u64, usize);

    fn number(sequence: u64, report: &mut Numbered) {
        report.0 = sequence;
    }

    #[test]
    fn each_report_gets_one_number_and_a_newer_one_replaces_a_half_second() {
        let mut outbox: Outbox<Numbered> = Outbox::default();
        assert_eq!(outbox.next(number), None);
        outbox.offer((0, 10), true);
        assert_eq!(outbox.next(number), Some(&mut (1, 10)));
        outbox.offer((0, 11), false);
        outbox.offer((0, 12), true);
        assert_eq!(outbox.next(number), Some(&mut (1, 10)), "retried unchanged");
        outbox.done();
        assert_eq!(outbox.next(number), Some(&mut (2, 12)), "11 was replaced and has no number");
        outbox.done();
        assert!(outbox.is_empty());
    }

    #[test]
    fn whole_seconds_queue_up_to_a_limit() {
        let mut outbox: Outbox<Numbered> = Outbox::default();
        for second in 0..MAX_WAITING + 5 {
            outbox.offer((0, 1_000), false);
            outbox.offer((0, second), true);
        }
        let mut sent = Vec::new();
        while let Some((_, second)) = outbox.next(number) {
            sent.push(*second);
            outbox.done();
        }
        assert_eq!(sent, (5..MAX_WAITING + 5).collect::<Vec<_>>());
        (0..9).for_each(|second| outbox.offer((0, second), true));
        outbox.keep_newest();
        assert_eq!(outbox.next(number).map(|report| report.1), Some(8));
    }
}
