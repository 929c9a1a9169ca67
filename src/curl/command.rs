//! The options of a curl command, read into drafts of requests.

use super::options::{self, Data, Effect, Known};
use super::words::Word;
use super::{Place, Wrong, shown, wrong};

/// What one group of options says; `--next` begins another one.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// `-X`
    pub method: Option<String>,
    /// Values of `-H`.
    pub headers: Vec<(String, Place)>,
    /// Headers that options set, unless `-H` does.
    pub set: Vec<(&'static str, String)>,
    /// The parts of the body.
    pub data: Vec<(Data, Vec<u8>, Place)>,
    /// `-G`
    pub in_query: bool,
    /// `-I`
    pub head: Option<Place>,
    /// `-u`
    pub user: Option<String>,
    /// Values of `-b`.
    pub cookies: Vec<String>,
    /// The URLs.
    pub urls: Vec<(String, Place)>,
    /// `--compressed`
    pub compressed: bool,
    /// `-k`
    pub insecure: bool,
    /// `-m`, in ms
    pub timeout_ms: Option<u64>,
    /// `-g`
    pub literal_url: bool,
    /// Options that do not change what is sent.
    pub ignored: Vec<String>,
    /// What is not carried over.
    pub comments: Vec<String>,
}

impl Draft {
    /// The drafts of a command.
    ///
    /// # Errors
    /// A word that cannot be carried over.
    pub fn all(words: Vec<Word>) -> Result<Vec<Draft>, Wrong> {
        let mut words = words.into_iter().peekable();
        // Documentation shows commands after a prompt.
        words.next_if(|word| word.bytes == b"$");
        let Some(first) = words.next() else { return Ok(Vec::new()) };
        let name = String::from_utf8_lossy(&first.bytes).into_owned();
        let program = name.rsplit(['/', '\\']).next().unwrap_or_default();
        if !["curl", "curl.exe"].contains(&program) {
            let why = format!(
                "{:?} is not curl: a command begins with curl, like curl 'https://shop.example/'",
                shown(&name)
            );
            return Err(wrong(first.at, why));
        }
        let mut reader =
            Reader { rest: words.collect::<Vec<_>>().into_iter(), draft: Draft::default(), done: Vec::new() };
        while let Some(word) = reader.rest.next() {
            reader.word(word)?;
        }
        reader.finish(first.at)?;
        Ok(reader.done)
    }
}

struct Reader {
    rest: std::vec::IntoIter<Word>,
    draft: Draft,
    done: Vec<Draft>,
}

impl Reader {
    fn word(&mut self, word: Word) -> Result<(), Wrong> {
        let Ok(text) = std::str::from_utf8(&word.bytes) else {
            return Err(wrong(word.at, "this word is not UTF-8 text"));
        };
        if let Some(name) = text.strip_prefix("--").filter(|name| !name.is_empty()) {
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.as_bytes().to_vec())),
                None => (name, None),
            };
            let Some(known) = options::of_name(name) else {
                let meant = options::similar(name)
                    .map_or_else(String::new, |near| format!(": did you mean --{near}?"));
                let hint =
                    if meant.is_empty() { ": remove it if it does not change what is sent" } else { &meant };
                let why = format!("--{} is not known to floodgate{hint}", shown(name));
                return Err(wrong(word.at, why));
            };
            return self.option(&format!("--{name}"), known, value, word.at);
        }
        match text.strip_prefix('-') {
            Some("") => Err(wrong(word.at, "- is not a URL")),
            Some(letters) => self.letters(letters, word.at),
            None => {
                self.draft.urls.push((text.to_owned(), word.at));
                Ok(())
            }
        }
    }

    /// `-sSL`, `-XPOST`: letters of flags, of which the last one may have its value in the same word.
    fn letters(&mut self, letters: &str, at: Place) -> Result<(), Wrong> {
        for (start, letter) in letters.char_indices() {
            let Some(known) = options::of_letter(letter) else {
                let why = format!(
                    "-{letter} is not known to floodgate: remove it if it does not change what is sent"
                );
                return Err(wrong(at, why));
            };
            let rest = &letters[start + letter.len_utf8()..];
            let name = format!("-{letter}");
            if known.takes_value {
                let value = Some(rest.as_bytes().to_vec()).filter(|rest| !rest.is_empty());
                return self.option(&name, known, value, at);
            }
            self.option(&name, known, None, at)?;
        }
        Ok(())
    }

    fn option(&mut self, name: &str, known: Known, value: Option<Vec<u8>>, at: Place) -> Result<(), Wrong> {
        if !known.takes_value {
            return self.effect(name, known.effect, Vec::new(), at);
        }
        let value = value.or_else(|| self.rest.next().map(|word| word.bytes));
        let Some(value) = value else { return Err(wrong(at, format!("{name} needs a value"))) };
        self.effect(name, known.effect, value, at)
    }

    fn effect(&mut self, name: &str, effect: Effect, value: Vec<u8>, at: Place) -> Result<(), Wrong> {
        if let Effect::Data(kind) = effect {
            self.draft.data.push((kind, value, at));
            return Ok(());
        }
        let Ok(text) = String::from_utf8(value) else {
            return Err(wrong(at, format!("the value of {name} is not UTF-8 text")));
        };
        let draft = &mut self.draft;
        match effect {
            Effect::Method => draft.method = Some(text),
            Effect::Header => draft.headers.push((text, at)),
            Effect::Get => draft.in_query = true,
            Effect::Head => draft.head = Some(at),
            Effect::User if text.contains(':') => draft.user = Some(text),
            Effect::User => {
                return Err(wrong(
                    at,
                    format!("{name} has no password, which curl would ask for: use {name} USER:PASSWORD"),
                ));
            }
            Effect::Bearer => draft.set.push(("Authorization", format!("Bearer {text}"))),
            Effect::Cookie if text.contains('=') => draft.cookies.push(text),
            Effect::Cookie => {
                let why =
                    format!("{name} {} names a file: write the cookies as {name} 'NAME=VALUE'", shown(&text));
                return Err(wrong(at, why));
            }
            Effect::Sets(header) => draft.set.push((header, text)),
            Effect::Range => draft.set.push(("Range", format!("bytes={text}"))),
            Effect::Url => draft.urls.push((text, at)),
            Effect::Compressed => draft.compressed = true,
            Effect::Insecure => draft.insecure = true,
            Effect::MaxTime => {
                draft.timeout_ms =
                    Some(milliseconds(&text).map_err(|why| wrong(at, format!("{name}: {why}")))?)
            }
            Effect::GlobOff => draft.literal_url = true,
            Effect::Next => return self.finish(at),
            Effect::Nothing => draft.ignored.push(name.to_owned()),
            Effect::Comment(why) => draft.comments.push(format!("{name}: {why}")),
            Effect::Refused(why) => return Err(wrong(at, format!("{name} cannot be carried over: {why}"))),
            Effect::Data(_) => {}
        }
        Ok(())
    }

    fn finish(&mut self, at: Place) -> Result<(), Wrong> {
        let draft = std::mem::take(&mut self.draft);
        if draft.urls.is_empty() {
            return Err(wrong(at, "this command has no URL"));
        }
        self.done.push(draft);
        Ok(())
    }
}

/// Seconds with decimals, as ms.
fn milliseconds(text: &str) -> Result<u64, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.001..=600.0).contains(seconds));
    let seconds = seconds.ok_or("a timeout is 0.001 to 600 s in floodgate: change it, or remove it")?;
    Ok((seconds * 1e3).round() as u64)
}
