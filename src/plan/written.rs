//! From the parts of a request as they are written to a request, with or without templates.

use super::request::{Request, parse_url};
use super::templates::{Part, Templates};
use crate::template::{Place, Template, TemplateError, has_expression};
use std::ops::Range;

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The part.
    pub part: Part,
    /// Where in its text, in bytes.
    pub at: Option<Range<usize>>,
    /// What is wrong, and what is allowed.
    pub why: String,
}

impl Wrong {
    fn new(part: Part, why: String) -> Wrong {
        Wrong { part, at: None, why }
    }

    fn at(part: Part, offset: usize, error: TemplateError) -> Wrong {
        let at = error.at.start + offset..error.at.end + offset;
        Wrong { part, at: Some(at), why: error.why }
    }
}

/// The parts of a request as they are written.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    /// The method.
    pub method: &'a str,
    /// Scheme and authority, if `url` is only path and query.
    pub origin: &'a str,
    /// The URL.
    pub url: &'a str,
    /// The headers.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: &'a [u8],
}

impl Written<'_> {
    /// Validates and combines the parts as they are.
    ///
    /// # Errors
    /// The first wrong part.
    pub fn constant(&self) -> Result<Request, Wrong> {
        let url = [self.origin, self.url].concat();
        parse_url(&url).map_err(|why| Wrong::new(Part::Url, why))?;
        let request = Request::new(self.method, &url, self.headers, self.body.to_vec());
        request.map_err(|why| Wrong::new(Part::Whole, why))
    }

    /// Validates and combines the parts, in which `{{…}}` is a template.
    ///
    /// # Errors
    /// The first wrong part.
    pub fn request(&self) -> Result<Request, Wrong> {
        let path_at = if self.origin.is_empty() { path_at(self.url) } else { 0 };
        let (origin, path) = self.url.split_at(path_at);
        if let Some(at) = origin.find("{{") {
            let why = "a template can stand in path and query only: all requests of a plan go to one host";
            return Err(Wrong { part: Part::Url, at: Some(at..path_at), why: why.to_owned() });
        }
        let parse = |part: Part, place, text: &[u8], offset| {
            let template = Template::parse(text).map_err(|error| Wrong::at(part.clone(), offset, error))?;
            template.check(place).map_err(|why| Wrong::new(part, why))?;
            Ok(template)
        };
        let path = parse(Part::Url, Place::Path, path.as_bytes(), path_at)?;
        let body = parse(Part::Body, Place::Body, self.body, 0)?;
        let header = |(name, value): &(String, String)| {
            let part = Part::Header(name.trim().to_owned());
            Ok((name.clone(), parse(part, Place::Header, value.trim().as_bytes(), 0)?))
        };
        let headers = self.headers.iter().map(header).collect::<Result<Vec<_>, Wrong>>()?;
        let text = |template: &Template| String::from_utf8_lossy(&template.sample()).into_owned();
        let url = [self.origin, origin, &text(&path)].concat();
        parse_url(&url).map_err(|why| Wrong::new(Part::Url, why))?;
        let is_varying = [&path, &body].into_iter().chain(headers.iter().map(|(_, template)| template));
        let is_varying = is_varying.into_iter().any(|template| template.constant().is_none());
        if path.constant().is_none() && path.sample().contains(&b'#') {
            let why = "a URL with templates cannot have a fragment: remove # and what follows it".to_owned();
            return Err(Wrong::new(Part::Url, why));
        }
        let samples: Vec<_> = headers.iter().map(|(name, value)| (name.clone(), text(value))).collect();
        let request = Request::new(self.method, &url, &samples, body.sample());
        let request = request.map_err(|why| Wrong::new(Part::Whole, why))?;
        let names = request.headers().iter().map(|(name, _)| name.clone());
        let headers = names.zip(headers.into_iter().map(|(_, template)| template)).collect();
        // A fragment is never sent.
        let path = match path.constant().and_then(|text| text.split(|byte| *byte == b'#').next()) {
            Some(sent) => Template::literal(sent),
            None => path,
        };
        Ok(match is_varying {
            true => request.with_templates(Templates { path, headers, body, path_at }),
            false => request,
        })
    }
}

/// Where path and query of an absolute URL begin, in bytes.
fn path_at(url: &str) -> usize {
    let authority = url.find("://").map_or(0, |at| at + 3);
    url[authority..].find(['/', '?', '#']).map_or(url.len(), |at| authority + at)
}

/// Scheme and authority of an absolute URL.
pub fn origin(url: &str) -> &str {
    &url[..path_at(url)]
}

/// Checks a URL that may contain templates in path and query.
///
/// # Errors
/// What is wrong with it.
pub fn check_url(url: &str) -> Result<(), String> {
    if !has_expression(url.as_bytes()) {
        return parse_url(url).map(|_| ());
    }
    let written = Written { method: "GET", origin: "", url, headers: &[], body: &[] };
    written.request().map(|_| ()).map_err(|wrong| wrong.why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str, header: &str, body: &str) -> Result<Request, Wrong> {
        let headers = [("X-Key".to_owned(), header.to_owned())];
        Written { method: "POST", origin: "", url, headers: &headers, body: body.as_bytes() }.request()
    }

    #[test]
    fn a_request_varies_only_with_expressions() {
        let constant = request("http://h:1/a?b={{'{{'}}", "{{'a b'|url}}", "{ {").expect("a request");
        assert_eq!((constant.path(), constant.templates()), ("/a?b={{", None));
        assert_eq!(constant.headers()[0].1, "a%20b");
        let varying =
            request("http://h:1/{{ users.id | url }}?n={{int(1,9)}}", "{{uuid}}", "").expect("a request");
        assert_eq!(varying.path(), "/x?n=x");
        let templates = varying.templates().expect("templates");
        let parts: Vec<_> = templates.parts().map(|(part, ..)| part).collect();
        assert_eq!(parts, [Part::Url, Part::Header("x-key".to_owned()), Part::Body]);
        let column = templates.path.columns().next().expect("a column");
        assert_eq!(templates.place_of(&Part::Url, &column.at), 14..22);
    }

    #[test]
    fn a_fragment_is_never_sent() {
        for (url, sent) in [("http://h/a#top", "/a"), ("http://h#top", ""), ("http://h/a?b", "/a?b")] {
            let varying = request(url, "{{uuid}}", "").expect("a request");
            let templates = varying.templates().expect("templates");
            assert_eq!(templates.path.constant(), Some(sent.as_bytes()), "{url}");
        }
    }

    #[test]
    fn a_wrong_part_is_named_with_its_place() {
        for (url, header, body, part, at, why) in [
            ("http://{{users.host}}/", "", "", Part::Url, Some(7..21), "path and query only"),
            ("http://h/{{uid}}", "", "", Part::Url, Some(11..14), "did you mean uuid?"),
            ("http://h/{{uuid}}#top", "", "", Part::Url, None, "cannot have a fragment"),
            ("http://h/a b{{uuid}}", "", "", Part::Url, None, "malformed"),
            ("http://h/{{choice(a,b c)}}", "", "", Part::Url, None, "choice \"b c\" contains a space"),
            (
                "http://h/",
                "{{int(1)}}",
                "",
                Part::Header("X-Key".to_owned()),
                Some(2..8),
                "two whole numbers",
            ),
            ("http://h/", "{{uuid}}\n", "{{", Part::Body, Some(0..2), "has no closing }}"),
            ("http://h/", "a\nb{{uuid}}", "", Part::Whole, None, "control characters are not allowed"),
        ] {
            let wrong = request(url, header, body).expect_err(url);
            assert_eq!((&wrong.part, &wrong.at), (&part, &at), "{wrong:?}");
            assert!(wrong.why.contains(why), "{wrong:?}");
        }
        assert_eq!(check_url("http://h/{{int(1,2)}} x").unwrap_err().matches("malformed").count(), 1);
        assert_eq!(check_url("http://h?q={{int(1,2)}}"), Ok(()));
    }
}
