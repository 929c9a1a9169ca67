//! `--urls FILE`: a list of paths or URLs, which become a feed, or vegeta's targets, which become requests.

use super::feeds;
use crate::curl;
use crate::feed::{Address, Format, PATH, Pick};
use crate::files::read_limited;
use crate::message::FeedSpec;
use crate::plan::feed_options::FeedOptions;
use crate::plan::options::{NamedOptions, Options, RequestOptions};
use crate::plan::request::MAX_BODY_BYTES;
use crate::plan::written::origin;
use crate::template::{as_bytes, as_text};
use crate::vegeta::{self, Body, Entry, Form};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The name of the feed.
pub const FEED: &str = "urls";

/// The flag.
#[derive(Clone, Debug)]
pub struct UrlFile {
    file: PathBuf,
    pick: Option<Pick>,
}

/// What a file has.
enum Content {
    /// A list, and where it goes if its lines say so.
    List {
        origin: Option<String>,
        spec: FeedSpec,
    },
    Targets(Vec<Entry>),
}

/// `FILE`, or `FILE:PICK`.
///
/// # Errors
/// It names no file.
pub fn flag(text: &str) -> Result<UrlFile, String> {
    let (file, pick) = feeds::file_and_pick(text);
    if file.is_empty() {
        return Err("use FILE, or FILE:PICK with cycle, random or unique".to_owned());
    }
    Ok(UrlFile { file: file.into(), pick })
}

impl UrlFile {
    /// A file whose lines are used one after the other.
    pub fn in_order(file: &Path) -> UrlFile {
        UrlFile { file: file.to_owned(), pick: None }
    }

    /// Makes the flags say what the file says. They will override `below`, the settings of a plan file.
    ///
    /// # Errors
    /// A wrong line of the file, or a flag that contradicts it.
    pub fn apply(&self, flags: &mut Options, below: Option<&Options>) -> Result<(), String> {
        self.applied(flags, below.unwrap_or(&Options::default()))
            .map_err(|why| format!("--urls {}: {why}", self.file.display()))
    }

    fn applied(&self, flags: &mut Options, below: &Options) -> Result<(), String> {
        match self.read()? {
            Content::List { origin: own, spec } => self.list(flags, below, own, spec),
            Content::Targets(entries) => self.targets(flags, below, entries),
        }
    }

    fn read(&self) -> Result<Content, String> {
        let mut file = feeds::open(&self.file)?;
        let mut begin = Vec::new();
        let most = vegeta::MAX_BYTES as u64 + 1;
        (&mut file).take(most).read_to_end(&mut begin).map_err(|error| format!("cannot be read: {error}"))?;
        let text = String::from_utf8_lossy(&begin[..begin.len().min(1 << 20)]);
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
        let first = lines.clone().find(|line| !line.is_empty() && !line.starts_with('#'));
        let first = first.unwrap_or_default().to_owned();
        match vegeta::form(&first) {
            Some(form) => self.read_targets(form, &begin),
            None => {
                let spec = feeds::spec(&self.file, Format::Urls, begin, file)?;
                // It has been checked.
                let origin = Address::parse(&first).ok().and_then(|address| address.origin);
                Ok(Content::List { origin, spec })
            }
        }
    }

    fn read_targets(&self, form: Form, bytes: &[u8]) -> Result<Content, String> {
        if let Some(pick) = self.pick {
            return Err(format!("has targets with methods, which take turns: omit :{}", pick.name()));
        }
        vegeta::entries(form, bytes).map(Content::Targets)
    }

    /// Makes the flags request the paths of a list. `own` is the origin that its lines name.
    ///
    /// # Errors
    /// A flag that contradicts it.
    pub fn list(
        &self,
        flags: &mut Options,
        below: &Options,
        own: Option<String>,
        spec: FeedSpec,
    ) -> Result<(), String> {
        check_bases(flags)?;
        if flags.feeds.iter().chain(&below.feeds).any(|feed| feed.name == FEED) {
            return Err(format!("its rows are the feed {FEED}: rename the other feed of that name"));
        }
        let Some(to) = flags.url.clone().or(own).or_else(|| below.url.clone()) else {
            return Err(
                "has paths only: say where to send them with --url http://HOST:PORT, or write whole URLs"
                    .to_owned(),
            );
        };
        let with_path = |url: &str| format!("{}/{{{{{FEED}.{PATH}}}}}", origin(url));
        flags.url = Some(with_path(&to));
        flags.other = flags.other.as_ref().or(below.other.as_ref()).map(|other| with_path(other));
        // Those of a plan file are replaced.
        flags.named = Some(Vec::new());
        flags.feeds.push(FeedOptions {
            name: FEED.to_owned(),
            pick: self.pick,
            path: Some(self.file.clone()),
            read: Some(spec),
            ..FeedOptions::default()
        });
        Ok(())
    }

    fn targets(&self, flags: &mut Options, below: &Options, entries: Vec<Entry>) -> Result<(), String> {
        let why = "its targets have methods and bodies of their own";
        for (flag, is_set, way) in [
            ("--method", flags.request.method.is_some(), ""),
            ("--body", flags.request.body.is_some(), ""),
            ("--ab", flags.other.is_some() || below.other.is_some(), ", or use a list of URLs"),
        ] {
            if is_set {
                return Err(format!("conflicts with {flag}, because {why}: omit {flag}{way}"));
            }
        }
        check_bases(flags)?;
        let first = entries.first().map(|entry| origin(&entry.target.url).to_owned());
        let mut named: Vec<NamedOptions> = Vec::new();
        for entry in entries {
            let taken: Vec<String> = named.iter().map(|one| one.name.clone()).collect();
            named.push(request(entry, &taken)?);
        }
        flags.url = flags.url.take().or(first);
        flags.named = Some(named);
        Ok(())
    }
}

/// The paths are in the file.
fn check_bases(flags: &Options) -> Result<(), String> {
    for url in [&flags.url, &flags.other].into_iter().flatten() {
        let base = origin(url);
        if !matches!(&url[base.len()..], "" | "/") {
            // The rest may contain a secret.
            return Err(format!("has the paths and queries: use the URL {base} without a path"));
        }
    }
    Ok(())
}

fn request(entry: Entry, taken: &[String]) -> Result<NamedOptions, String> {
    let Entry { target, weight, line } = entry;
    let rest = &target.url[origin(&target.url).len()..];
    let rest = rest.split('#').next().unwrap_or_default();
    let path = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
    let body = match target.body {
        Body::None => None,
        Body::Bytes(bytes) => Some(bytes),
        Body::File(file) => {
            let bytes = read_limited(Path::new(&file), MAX_BODY_BYTES as u64);
            Some(bytes.map_err(|why| format!("line {line}: the body @{file} {why}"))?)
        }
    };
    let headers = target.headers.into_iter().map(|(name, value)| (name, as_text(&value)));
    Ok(NamedOptions {
        name: curl::names::name(&target.method, &path, taken),
        weight: u32::try_from(weight).ok(),
        url: Some(as_text(&path)),
        request: RequestOptions {
            method: Some(target.method),
            headers: headers.collect(),
            body: body.map(|bytes| as_bytes(&bytes)),
            ..RequestOptions::default()
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_lines_are_chosen_may_follow_the_file() {
        let parsed = |text: &str| flag(text).map(|found| (found.file.display().to_string(), found.pick));
        for (text, file, pick) in [
            ("urls.txt", "urls.txt", None),
            ("urls.txt:random", "urls.txt", Some(Pick::Random)),
            ("a:b:unique", "a:b", Some(Pick::Unique)),
            ("a:b", "a:b", None),
        ] {
            assert_eq!(parsed(text), Ok((file.to_owned(), pick)), "{text}");
        }
        assert!(parsed("").is_err() && parsed(":cycle").is_err());
    }
}
