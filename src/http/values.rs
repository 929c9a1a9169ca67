//! The requests of a plan whose parts vary, compiled for one driver: shared by all its clients.

use super::Ticket;
use super::render::{framed, sends_length};
use crate::clock;
use crate::feed::Supply;
use crate::plan::request::Request;
use crate::plan::templates::{Part, Templates};
use crate::template::{CellRef, Compiled, Context, Moment, Patched, Place, Template, decimal};
use http::HeaderValue;
use http::uri::PathAndQuery;
use std::sync::Arc;

/// Room for the value of `Content-Length`, in bytes.
const LENGTH_ROOM: usize = 20;

/// Where the values come from.
#[derive(Debug)]
pub struct Origin {
    /// The seed of the plan.
    pub seed: u64,
    /// The driver's node id.
    pub driver: String,
    /// Rows of data.
    pub supply: Supply,
    /// Index of the driver's first ticket in the schedule of the fleet.
    pub part: u64,
    /// Distance between its tickets there.
    pub parts: u64,
}

/// The values of the requests to one URL.
#[derive(Debug)]
pub struct Values {
    origin: Origin,
    /// The requests that vary, by their index.
    varying: Vec<Option<Pieces>>,
}

/// A request that varies.
#[derive(Debug)]
struct Pieces {
    path: Compiled,
    headers: Vec<Compiled>,
    body: Compiled,
    feeds: Vec<u16>,
    tells_time: bool,
}

impl Values {
    /// Compiles the requests; `slot` finds a column of a feed in the supply. `None` if none of them varies.
    ///
    /// # Errors
    /// A node id that cannot stand where a template puts it.
    pub fn new(
        requests: &[Request],
        origin: Origin,
        slot: &dyn Fn(&crate::template::Column) -> Option<CellRef>,
    ) -> Result<Option<Arc<Values>>, String> {
        if requests.iter().all(|request| request.templates().is_none()) {
            return Ok(None);
        }
        let mut context = Context { seed: origin.seed, driver: &origin.driver, slot, fields: 0 };
        let varying = requests.iter().map(|request| {
            let pieces = request.templates().map(|templates| Pieces::new(templates, &mut context));
            pieces.transpose()
        });
        let varying = varying.collect::<Result<_, _>>()?;
        Ok(Some(Arc::new(Values { origin, varying })))
    }

    fn moment(&self, pieces: &Pieces, ticket: &Ticket, sent_ns: u64) -> Moment {
        Moment {
            ticket: self.origin.part.wrapping_add(ticket.number.wrapping_mul(self.origin.parts)),
            is_warmup: ticket.warmup,
            now_ms: if pieces.tells_time { clock::wall_ms(sent_ns) as u64 } else { 0 },
        }
    }

    /// The request of a ticket in parts; `None` if it does not vary.
    ///
    /// # Errors
    /// If it is no valid request, as with a path of more than 65,534 bytes, the limit of the crate `http`.
    pub fn request(
        &self,
        base: &Request,
        ticket: &Ticket,
        sent_ns: u64,
    ) -> Result<Option<Request>, Unsendable> {
        match self.varying.get(ticket.request as usize).and_then(Option::as_ref) {
            None => Ok(None),
            Some(pieces) => self.rendered(pieces, base, ticket, sent_ns).map(Some).ok_or(Unsendable),
        }
    }

    fn rendered(&self, pieces: &Pieces, base: &Request, ticket: &Ticket, sent_ns: u64) -> Option<Request> {
        let moment = self.moment(pieces, ticket, sent_ns);
        let taken = self.origin.supply.take(&pieces.feeds, ticket.number, &moment);
        let render = |compiled: &Compiled| {
            let mut out = Vec::new();
            compiled.render(&moment, &taken, &mut out);
            out
        };
        let mut uri = base.uri().clone().into_parts();
        uri.path_and_query = Some(PathAndQuery::from_maybe_shared(render(&pieces.path)).ok()?);
        let names = base.headers().iter().map(|(name, _)| name.clone());
        let values = pieces.headers.iter().map(|value| HeaderValue::from_maybe_shared(render(value)).ok());
        let headers = names.zip(values).map(|(name, value)| Some((name, value?)));
        let headers = headers.collect::<Option<Vec<_>>>()?;
        Some(base.rendered(http::Uri::from_parts(uri).ok()?, headers, render(&pieces.body)))
    }
}

/// A request that no client can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsendable;

impl Pieces {
    fn new(templates: &Templates, context: &mut Context) -> Result<Pieces, String> {
        let mut feeds = Vec::new();
        let mut compile = |part: &Part, place, template: &Template| {
            let mut compiled = Compiled::default();
            if *part == Part::Url && !template.sample().starts_with(b"/") {
                compiled.text(b"/");
            }
            let found = template.columns().filter_map(|column| (context.slot)(column)).map(|slot| slot.feed);
            feeds.extend(found);
            compiled.template(template, place, context).map_err(|error| error.why)?;
            Ok::<_, String>(compiled)
        };
        let path = compile(&Part::Url, Place::Path, &templates.path)?;
        let headers = templates.headers.iter();
        let headers = headers
            .map(|(name, value)| compile(&Part::Header(name.to_string()), Place::Header, value))
            .collect::<Result<Vec<_>, _>>()?;
        let body = compile(&Part::Body, Place::Body, &templates.body)?;
        let tells_time = path.tells_time() || body.tells_time() || headers.iter().any(Compiled::tells_time);
        feeds.sort_unstable();
        feeds.dedup();
        Ok(Pieces { path, headers, body, feeds, tells_time })
    }
}

/// How the bytes of a request that varies come about.
#[derive(Debug)]
enum Lane {
    /// All have the same length: only the places that differ are written.
    Patched(Patched),
    /// The length of the body is known.
    Whole(Compiled),
    /// The head up to the value of `Content-Length`, and the body.
    Sized(Compiled, Compiled),
}

/// A request that varies, as one client sends it.
#[derive(Debug)]
pub struct Varying {
    values: Arc<Values>,
    index: usize,
    plain: Lane,
    /// As sent last on a connection with a limited number of requests.
    last: Lane,
    buffer: Vec<u8>,
}

impl Varying {
    /// The request with this index; `None` if it does not vary.
    pub fn new(values: &Arc<Values>, index: usize, request: &Request) -> Option<Varying> {
        let pieces = values.varying.get(index)?.as_ref()?;
        let (plain, last) = (lane(request, pieces, false), lane(request, pieces, true));
        Some(Varying { values: Arc::clone(values), index, plain, last, buffer: Vec::new() })
    }

    /// The bytes of a ticket's request. The same ticket and time give the same bytes.
    #[inline]
    pub fn render(&mut self, ticket: &Ticket, sent_ns: u64, is_last: bool) -> &[u8] {
        let Some(Some(pieces)) = self.values.varying.get(self.index) else { return &[] };
        let moment = self.values.moment(pieces, ticket, sent_ns);
        let lane = if is_last { &mut self.last } else { &mut self.plain };
        if let Lane::Patched(patched) = lane {
            return patched.render(&moment);
        }
        let taken = self.values.origin.supply.take(&pieces.feeds, ticket.number, &moment);
        self.buffer.clear();
        match lane {
            Lane::Patched(_) => &[],
            Lane::Whole(whole) => {
                whole.render(&moment, &taken, &mut self.buffer);
                &self.buffer
            }
            Lane::Sized(head, body) => {
                head.render(&moment, &taken, &mut self.buffer);
                let head_end = self.buffer.len();
                self.buffer.extend_from_slice(&[b' '; LENGTH_ROOM]);
                self.buffer.extend_from_slice(b"\r\n\r\n");
                let body_at = self.buffer.len();
                body.render(&moment, &taken, &mut self.buffer);
                let begin = put_length(&mut self.buffer, head_end, body_at);
                &self.buffer[begin..]
            }
        }
    }
}

/// Writes the length of the body into the room before it, and moves the head up to it; returns where the head
/// begins. The head is shorter than most bodies.
fn put_length(buffer: &mut [u8], head_end: usize, body_at: usize) -> usize {
    let mut digits = [0; LENGTH_ROOM];
    let count = decimal((buffer.len() - body_at) as u64, &mut digits);
    let begin = LENGTH_ROOM - count;
    buffer.copy_within(..head_end, begin);
    buffer[begin + head_end..begin + head_end + count].copy_from_slice(&digits[..count]);
    begin
}

fn lane(request: &Request, pieces: &Pieces, says_close: bool) -> Lane {
    let mut head = framed(request, &pieces.path, &pieces.headers, says_close);
    let width = pieces.body.width();
    if sends_length(request) && width.is_none() {
        head.text(b"content-length: ");
        return Lane::Sized(head, pieces.body.clone());
    }
    if let Some(width) = width.filter(|_| sends_length(request)) {
        head.text(b"content-length: ");
        head.text(width.to_string().as_bytes());
        head.text(b"\r\n");
    }
    head.text(b"\r\n");
    head.append(pieces.body.clone());
    head.patched().map_or(Lane::Whole(head), Lane::Patched)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::written::Written;

    fn values(method: &str, url: &str, header: &str, body: &str) -> (Request, Arc<Values>) {
        let headers = [("X-Key".to_owned(), header.to_owned())];
        let written = Written { method, origin: "", url, headers: &headers, body: body.as_bytes() };
        let request = written.request().expect("a request");
        let origin =
            Origin { seed: 7, driver: "driver-1".to_owned(), supply: Supply::default(), part: 1, parts: 3 };
        let values = Values::new(std::slice::from_ref(&request), origin, &|_| None).expect("values");
        (request, values.expect("something varies"))
    }

    fn ticket(number: u64) -> Ticket {
        Ticket { number, ..Ticket::default() }
    }

    /// Checks both forms of a request against each other; returns the bytes of the ticket's request.
    fn rendered((request, values): &(Request, Arc<Values>), number: u64, is_last: bool) -> String {
        let mut varying = Varying::new(values, 0, request).expect("it varies");
        varying.render(&ticket(number + 1), 0, !is_last);
        let text = String::from_utf8(varying.render(&ticket(number), 0, is_last).to_vec()).expect("UTF-8");
        let parts = values.request(request, &ticket(number), 0).expect("valid").expect("varies");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert_eq!(head.lines().next(), Some(&*format!("{} {} HTTP/1.1", parts.method(), parts.path())));
        assert!(head.contains(&format!("\r\nx-key: {}", parts.headers()[0].1.to_str().expect("ASCII"))));
        assert_eq!(body.as_bytes(), parts.body());
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        assert_eq!(
            length.map(str::to_owned),
            sends_length(request).then(|| body.len().to_string()),
            "{text}"
        );
        assert_eq!(head.contains("\r\nconnection: close"), is_last);
        text
    }

    #[test]
    fn every_lane_frames_its_body() {
        let patched = values("POST", "http://h/a", "{{uuid}}", "{{random(9)}}");
        let whole = values("PUT", "http://h?n={{counter}}", "x", "{{random(9)}}");
        let sized = values("POST", "http://h/{{counter}}", "{{uuid}}", "{{int(1,5000)}} {{counter}}");
        let bare = values("GET", "http://h/{{counter}}", "{{driver}}", "");
        for values in [&patched, &whole, &sized, &bare] {
            for number in [0, 1, 2, 9_999_999_999] {
                for is_last in [false, true] {
                    let text = rendered(values, number, is_last);
                    assert_eq!(rendered(values, number, is_last), text);
                    assert_eq!(text.matches("HTTP/1.1").count(), 1);
                }
            }
        }
        assert!(rendered(&whole, 2, false).starts_with("PUT /?n=7 HTTP/1.1\r\nhost: h\r\n"), "1 + 2 · 3");
        assert!(rendered(&bare, 0, false).ends_with("x-key: driver-1\r\n\r\n"));
        let body = rendered(&sized, 33, false);
        assert!(body.ends_with(" 100"), "{body}");
    }

    #[test]
    fn a_plan_without_templates_has_no_values() {
        let request = Request::get("http://h/").expect("a request");
        let origin = Origin { seed: 7, driver: String::new(), supply: Supply::default(), part: 0, parts: 1 };
        assert!(Values::new(&[request], origin, &|_| None).expect("nothing wrong").is_none());
    }
}
