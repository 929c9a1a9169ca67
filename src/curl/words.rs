//! Splits shell text into commands and words, as bash does for what people paste: quotes, `$'…'`,
//! backslashes, comments, and the operators between commands. Nothing is expanded: a variable is an error.

use super::escapes::escaped;
use super::{Place, Wrong, wrong};

/// Maximum number of words in all commands.
const MAX_WORDS: usize = 20_000;

/// A word, unquoted, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// What the command would receive.
    pub bytes: Vec<u8>,
    /// Where it begins.
    pub at: Place,
}

/// Commands in their order, without what follows a pipe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// The words of each command.
    pub commands: Vec<Vec<Word>>,
    /// What a shell would have done besides, for people.
    pub left_out: Vec<String>,
}

/// Splits a text.
///
/// # Errors
/// An open quote, or what only a shell can expand, with its place.
pub fn split(text: &[u8]) -> Result<Script, Wrong> {
    let (script, command) = (Script::default(), Vec::new());
    let mut splitter = Splitter { text, at: 0, script, command, piped: false, last: (0, 1, 1) };
    splitter.run()?;
    Ok(splitter.script)
}

struct Splitter<'a> {
    text: &'a [u8],
    at: usize,
    script: Script,
    command: Vec<Word>,
    /// Whether the current command reads another one's output.
    piped: bool,
    /// The begin of the last word, with its line and column, so that no text is counted again for each word.
    last: (usize, usize, usize),
}

impl Splitter<'_> {
    fn run(&mut self) -> Result<(), Wrong> {
        let mut words = 0;
        while let Some(byte) = self.peek(0) {
            match byte {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\\' if self.line_end(1) > 0 => self.at += 1 + self.line_end(1),
                b'#' => self.skip_line(),
                b'\n' | b';' | b'&' | b'|' => self.operator()?,
                b'<' | b'>' => self.redirect()?,
                b'(' | b')' => {
                    let what = char::from(byte);
                    return Err(self.wrong(
                        self.at,
                        format!("{what} outside quotes starts or ends a subshell: quote it"),
                    ));
                }
                _ => {
                    words += 1;
                    if words > MAX_WORDS {
                        return Err(self.wrong(self.at, format!("more than {MAX_WORDS} words")));
                    }
                    let word = self.word()?;
                    // `2>/dev/null` redirects standard error.
                    let is_number =
                        self.text[self.at - 1].is_ascii_digit() && word.bytes.iter().all(u8::is_ascii_digit);
                    if !(is_number && self.peek(0) == Some(b'>')) {
                        self.command.push(word);
                    }
                }
            }
        }
        self.end_command(false);
        Ok(())
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    /// Length of the line end that is `ahead`; 0 if none.
    fn line_end(&self, ahead: usize) -> usize {
        match (self.peek(ahead), self.peek(ahead + 1)) {
            (Some(b'\n'), _) => 1,
            (Some(b'\r'), Some(b'\n')) => 2,
            _ => 0,
        }
    }

    fn skip_line(&mut self) {
        while self.peek(0).is_some_and(|byte| byte != b'\n') {
            self.at += 1;
        }
    }

    /// Line and column of a place that is not before the last word.
    fn position(&self, at: usize) -> (usize, usize) {
        let (last, line, column) = self.last;
        // Columns are characters: the bytes that do not continue one.
        self.text[last..at].iter().fold((line, column), |(line, column), byte| match byte {
            b'\n' => (line + 1, 1),
            byte => (line, column + usize::from(byte & 0xc0 != 0x80)),
        })
    }

    fn wrong(&self, at: usize, why: impl Into<String>) -> Wrong {
        let (line, column) = self.position(at);
        wrong(Place::Text { line, column }, why)
    }

    fn operator(&mut self) -> Result<(), Wrong> {
        let (byte, next) = (self.peek(0), self.peek(1));
        if byte == Some(b'&') && next == Some(b'>') {
            self.at += 1;
            return self.redirect();
        }
        // `http://h/?a=1&b=2` without quotes: a shell would send the part before the &.
        let touches = |byte: Option<u8>| byte.is_some_and(|byte| !b" \t\r\n;".contains(&byte));
        let after_word = self.at > 0 && touches(Some(self.text[self.at - 1])) && !self.command.is_empty();
        if byte == Some(b'&') && next != Some(b'&') && after_word && touches(next) {
            let why = "& outside quotes ends the command: put the URL in quotes";
            return Err(self.wrong(self.at, why));
        }
        let is_double = byte == next && byte != Some(b'\n');
        self.at += if is_double { 2 } else { 1 };
        self.end_command(byte == Some(b'|') && !is_double);
        Ok(())
    }

    fn end_command(&mut self, pipes: bool) {
        let command = std::mem::take(&mut self.command);
        if self.piped && !command.is_empty() {
            let name = String::from_utf8_lossy(&command[0].bytes).into_owned();
            self.script.left_out.push(format!("| {}", super::shown(&name)));
        } else if !command.is_empty() {
            self.script.commands.push(command);
        }
        self.piped = pipes;
    }

    fn redirect(&mut self) -> Result<(), Wrong> {
        let start = self.at;
        if self.peek(0) == Some(b'<') {
            return Err(self.wrong(
                start,
                "< outside quotes reads standard input from a file: put the body in the command",
            ));
        }
        while self.peek(0).is_some_and(|byte| b">|&".contains(&byte)) {
            self.at += 1;
        }
        while self.peek(0).is_some_and(|byte| b" \t".contains(&byte)) {
            self.at += 1;
        }
        let target = self.word()?;
        let target = String::from_utf8_lossy(&target.bytes).into_owned();
        self.script.left_out.push(format!("> {}", super::shown(&target)));
        Ok(())
    }

    fn word(&mut self) -> Result<Word, Wrong> {
        let (line, column) = self.position(self.at);
        self.last = (self.at, line, column);
        let mut bytes = Vec::new();
        while let Some(byte) = self.peek(0) {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => break,
                b'\'' => self.single(&mut bytes)?,
                b'"' => self.double(&mut bytes)?,
                b'$' if self.peek(1) == Some(b'\'') => self.ansi(&mut bytes)?,
                b'$' if self.peek(1) == Some(b'"') => self.at += 1,
                b'$' | b'`' => self.dollar(&mut bytes)?,
                b'^' if self.peek(1) == Some(b'"') || self.line_end(1) > 0 => {
                    let why = "^ is how Windows' cmd quotes: choose \"Copy as cURL (bash)\" in the browser";
                    return Err(self.wrong(self.at, why));
                }
                b'\\' => {
                    let (line_end, next) = (self.line_end(1), self.peek(1));
                    if line_end == 0 {
                        bytes.extend(next);
                    }
                    self.at += 1 + if line_end == 0 { usize::from(next.is_some()) } else { line_end };
                }
                _ => {
                    bytes.push(byte);
                    self.at += 1;
                }
            }
        }
        Ok(Word { bytes, at: Place::Text { line, column } })
    }

    fn open(&self, start: usize) -> Wrong {
        self.wrong(start, "the quote that begins here is not closed: paste the whole command")
    }

    fn single(&mut self, bytes: &mut Vec<u8>) -> Result<(), Wrong> {
        let start = self.at + 1;
        let Some(length) = self.text[start..].iter().position(|byte| *byte == b'\'') else {
            return Err(self.open(self.at));
        };
        bytes.extend_from_slice(&self.text[start..start + length]);
        self.at = start + length + 1;
        Ok(())
    }

    fn double(&mut self, bytes: &mut Vec<u8>) -> Result<(), Wrong> {
        let start = self.at;
        self.at += 1;
        loop {
            match (self.peek(0), self.peek(1)) {
                (None, _) => return Err(self.open(start)),
                (Some(b'"'), _) => break,
                (Some(b'\\'), _) if self.line_end(1) > 0 => self.at += 1 + self.line_end(1),
                (Some(b'\\'), Some(next)) if b"$`\"\\".contains(&next) => {
                    bytes.push(next);
                    self.at += 2;
                }
                (Some(b'$' | b'`'), _) => self.dollar(bytes)?,
                (Some(byte), _) => {
                    bytes.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        Ok(())
    }

    /// A `$` that begins nothing is plain text.
    fn dollar(&mut self, bytes: &mut Vec<u8>) -> Result<(), Wrong> {
        let rest = &self.text[self.at + 1..];
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        let name = String::from_utf8_lossy(&rest[..length]);
        let what = match (self.peek(0), rest.first()) {
            (Some(b'`'), _) => "`…` is the output of a command".to_owned(),
            (_, Some(b'(')) => "$(…) is the output of a command".to_owned(),
            (_, Some(b'{')) => "${…} is a shell variable".to_owned(),
            _ if length > 0 => format!("${} is a shell variable", super::shown(&name)),
            (_, Some(b'@' | b'*' | b'#' | b'?' | b'!' | b'$' | b'-')) => "it is a shell variable".to_owned(),
            _ => {
                bytes.push(b'$');
                self.at += 1;
                return Ok(());
            }
        };
        Err(self.wrong(
            self.at,
            format!("{what}, whose value is not known here: write the value, or use single quotes"),
        ))
    }

    fn ansi(&mut self, bytes: &mut Vec<u8>) -> Result<(), Wrong> {
        let start = self.at;
        self.at += 2;
        loop {
            match self.peek(0) {
                None => return Err(self.open(start)),
                Some(b'\'') => break,
                Some(b'\\') => {
                    let rest = &self.text[self.at..];
                    let length = escaped(rest, bytes).map_err(|why| self.wrong(self.at, why))?;
                    self.at += length;
                }
                Some(byte) => {
                    bytes.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        Ok(())
    }
}
