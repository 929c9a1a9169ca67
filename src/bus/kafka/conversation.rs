//! One request at a time and its response, as bytes: numbers the requests, assembles the frames and checks
//! that a response belongs to the request in flight. It has no socket; `connection` moves its bytes.

use super::frame::{Frame, FrameError, FrameReader};
use super::responses;
use super::versions::Api;
use super::wire::{Malformed, Reader};

/// The response to one request.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    api: Api,
    /// Its version.
    pub version: i16,
    frame: Frame,
    /// When its request was sent, per [`crate::clock::now_ns`].
    pub sent_ns: u64,
    /// When it was complete.
    pub received_ns: u64,
}

impl Answer {
    /// Its body, after the header.
    pub fn body(&self) -> Result<Reader<'_>, Malformed> {
        Ok(responses::body(self.api, self.version, &self.frame.bytes)?.1)
    }

    /// How long the broker will not read our next request, in ms.
    pub fn throttle_ms(&self) -> i32 {
        let read = self.body().and_then(|mut body| responses::throttle_ms(self.api, self.version, &mut body));
        read.unwrap_or(0)
    }

    /// Whether it was truncated.
    pub fn is_cut(&self) -> bool {
        self.frame.cut
    }
}

/// Why the peer's bytes cannot be used; the connection must be dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Breach {
    /// The peer does not speak Kafka.
    Foreign(String),
    /// The peer speaks TLS.
    Tls,
    /// The peer speaks Kafka, but not to us.
    Lost(&'static str),
}

#[derive(Debug)]
struct Asked {
    api: Api,
    version: i16,
    correlation: i32,
    sent_ns: u64,
}

/// The requests and responses of one connection.
#[derive(Debug)]
pub struct Conversation {
    frames: FrameReader,
    correlation: i32,
    asked: Option<Asked>,
}

impl Conversation {
    /// Accepts responses of up to `longest` bytes and keeps the first `keep` of each.
    pub fn new(keep: usize, longest: i32) -> Self {
        Conversation { frames: FrameReader::new(keep, longest), correlation: 0, asked: None }
    }

    /// Changes the limits, once the peer is known to be a Kafka broker. Only allowed between two responses.
    pub fn set_limits(&mut self, keep: usize, longest: i32) {
        self.frames = FrameReader::new(keep, longest);
    }

    /// Whether a request is in flight.
    pub fn is_busy(&self) -> bool {
        self.asked.is_some()
    }

    /// The number of the next request.
    pub fn next_number(&self) -> i32 {
        self.correlation.wrapping_add(1)
    }

    /// Notes that a request with [`Conversation::next_number`] is sent at `sent_ns`.
    pub fn ask(&mut self, api: Api, version: i16, sent_ns: u64) {
        self.correlation = self.next_number();
        self.asked = Some(Asked { api, version, correlation: self.correlation, sent_ns });
    }

    /// Consumes bytes received at `now_ns`; returns the response if they complete it.
    pub fn receive(&mut self, bytes: &[u8], now_ns: u64) -> Result<Option<Answer>, Breach> {
        let pushed = self.frames.push(bytes);
        let (used, frame) = pushed.map_err(|error| match error {
            FrameError::OtherProtocol("TLS") => Breach::Tls,
            error => Breach::Foreign(error.to_string()),
        })?;
        let Some(frame) = frame else { return Ok(None) };
        let Some(asked) = self.asked.take() else {
            return Err(Breach::Lost("it sent a response without a request"));
        };
        let number = responses::body(asked.api, asked.version, &frame.bytes).map(|(number, _)| number);
        if used < bytes.len() || number != Ok(asked.correlation) {
            return Err(Breach::Lost("its response does not match our request"));
        }
        let Asked { api, version, sent_ns, .. } = asked;
        Ok(Some(Answer { api, version, frame, sent_ns, received_ns: now_ns }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEEP: usize = 20;

    fn conversation() -> Conversation {
        Conversation::new(KEEP, 1 << 20)
    }

    /// A response to request `number` with the old header.
    fn response(number: i32, body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32 + 4).to_be_bytes(), &number.to_be_bytes()[..], body].concat()
    }

    fn body_of(answer: &Answer) -> Vec<u8> {
        let mut body = answer.body().expect("a header");
        std::iter::from_fn(|| body.i8().ok()).map(|byte| byte as u8).collect()
    }

    #[test]
    fn requests_are_numbered_and_answered_one_by_one() {
        let mut talk = conversation();
        for number in 1..4 {
            assert!(!talk.is_busy());
            assert_eq!(talk.next_number(), number);
            talk.ask(Api::Fetch, 4, 10);
            assert!(talk.is_busy());
            let answer = talk.receive(&response(number, b"abc"), 25).expect("right").expect("complete");
            assert_eq!((answer.sent_ns, answer.received_ns, answer.version), (10, 25, 4));
            assert_eq!((body_of(&answer), answer.is_cut()), (b"abc".to_vec(), false));
        }
    }

    #[test]
    fn a_long_response_is_cut_and_the_next_one_is_whole() {
        let mut talk = conversation();
        talk.ask(Api::Fetch, 4, 0);
        let answer = talk.receive(&response(1, &[7; 100]), 0).expect("right").expect("complete");
        assert_eq!((body_of(&answer).len(), answer.is_cut()), (KEEP - 4, true));
        talk.ask(Api::Fetch, 4, 0);
        assert!(!talk.receive(&response(2, &[7; 3]), 0).expect("right").expect("complete").is_cut());
    }

    #[test]
    fn the_limits_of_the_first_response_can_be_raised() {
        let mut talk = Conversation::new(KEEP, 8);
        talk.ask(Api::Versions, 0, 0);
        assert!(talk.receive(&response(1, b"abcd"), 0).expect("right").is_some());
        talk.set_limits(KEEP, 9);
        talk.ask(Api::Fetch, 4, 0);
        assert!(talk.receive(&response(2, b"abcde"), 0).expect("right").is_some());
        talk.ask(Api::Fetch, 4, 0);
        let Err(Breach::Foreign(why)) = talk.receive(&response(3, b"abcdef"), 0) else { panic!("too long") };
        assert!(why.contains("10"), "{why}");
    }

    #[test]
    fn a_response_that_belongs_to_no_request_is_a_breach() {
        let mismatch = Breach::Lost("its response does not match our request");
        let mut talk = conversation();
        let unasked = Breach::Lost("it sent a response without a request");
        assert_eq!(talk.receive(&response(0, b""), 0), Err(unasked));
        for wrong in [0, 2, -1] {
            let mut talk = conversation();
            talk.ask(Api::Fetch, 4, 0);
            assert_eq!(talk.receive(&response(wrong, b"abc"), 0), Err(mismatch.clone()), "{wrong}");
        }
        let mut talk = conversation();
        talk.ask(Api::Fetch, 4, 0);
        let two = [response(1, b"a"), response(2, b"b")].concat();
        assert_eq!(talk.receive(&two, 0), Err(mismatch.clone()), "two responses to one request");
        let mut talk = conversation();
        talk.ask(Api::Fetch, 4, 0);
        assert_eq!(talk.receive(&[0, 0, 0, 2, 0, 0], 0), Err(mismatch), "no room for a number");
    }

    #[test]
    fn another_protocol_is_named() {
        let mut talk = conversation();
        talk.ask(Api::Versions, 3, 0);
        let Err(Breach::Foreign(why)) = talk.receive(b"HTTP/1.1 400", 0) else { panic!("HTTP") };
        assert!(why.contains("HTTP"), "{why}");
    }

    proptest! {
        #[test]
        fn a_response_survives_any_split(body: [u8; 16], len in 0usize..16, cuts: [u8; 4]) {
            let body = &body[..len];
            let bytes = response(1, body);
            let mut ends: Vec<usize> = cuts.iter().map(|cut| usize::from(*cut) % bytes.len()).collect();
            ends.push(bytes.len());
            ends.sort_unstable();
            let mut talk = conversation();
            talk.ask(Api::Fetch, 4, 0);
            let (mut from, mut answers) = (0, Vec::new());
            for end in ends {
                answers.extend(talk.receive(&bytes[from..end], end as u64).expect("right"));
                from = end;
            }
            prop_assert_eq!(answers.len(), 1);
            prop_assert_eq!(body_of(&answers[0]), body);
            prop_assert_eq!(answers[0].received_ns, bytes.len() as u64);
        }

        #[test]
        fn malformed_input_never_panics(bytes: Vec<u8>, version in 0i16..13) {
            let mut talk = conversation();
            talk.ask(Api::Fetch, version, 0);
            if let Ok(Some(answer)) = talk.receive(&bytes, 0) {
                let _ = answer.body();
            }
        }
    }
}
