//! Where a result goes: standard output and files.

use super::{live, table};
use crate::digest::{junit, markdown};
use crate::stats::histogram::Histogram;
use crate::stats::summary::Summary;
use crate::store::write_file;
use crate::terminal;
use crate::units::utc;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where a text goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To standard output, instead of the table.
    Standard,
    /// To a file.
    File(PathBuf),
}

/// The forms in which a result is wanted, besides the table on standard output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// One JSON document instead of the table.
    pub json: bool,
    /// Markdown.
    pub markdown: Option<Destination>,
    /// JUnit XML.
    pub junit: Option<PathBuf>,
}

impl Output {
    /// Checks what can be checked before the test: the forms, and that the folders of the files exist.
    ///
    /// # Errors
    /// Names the flag and says what is allowed.
    pub fn check(&self) -> Result<(), String> {
        if self.json && self.markdown == Some(Destination::Standard) {
            return Err(
                "--json and --markdown - both print to standard output: use --markdown FILE, or omit \
                        one of them"
                    .to_owned(),
            );
        }
        if let Some(Destination::File(path)) = &self.markdown {
            check_path("--markdown", path)?;
        }
        self.junit.as_deref().map_or(Ok(()), |path| check_path("--junit", path))
    }

    /// Prints the result to `out`; the table has a histogram if the latencies are known.
    ///
    /// # Errors
    /// As `out`.
    pub fn print(
        &self,
        summary: &Summary,
        latency: Option<&Histogram>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let text = if self.markdown == Some(Destination::Standard) {
            markdown::render(summary)
        } else if self.json {
            summary.document()
        } else {
            table::render_for(summary, latency, terminal::shows_colours(&io::stdout()))
        };
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Writes the files, also of a test without a result: a file of an earlier test must not stand for it.
    /// Says what could not be written, and returns whether everything was.
    pub fn write(&self, result: Result<&Summary, &str>, out: &mut dyn Write) -> bool {
        let mut wanted = Vec::new();
        match (&self.markdown, result) {
            (Some(Destination::File(path)), Ok(summary)) => wanted.push((path, markdown::render(summary))),
            (Some(Destination::File(path)), Err(error)) => {
                wanted.push((path, markdown::without_result(error)));
            }
            (Some(Destination::Standard), Err(error)) => {
                // Its exit code is 1 already.
                let _ = out.write_all(markdown::without_result(error).as_bytes());
            }
            (Some(Destination::Standard), Ok(_)) | (None, _) => {}
        }
        if let Some(path) = &self.junit {
            let text = match result {
                Ok(summary) => junit::render(summary, started(summary).as_deref()),
                Err(error) => junit::without_result(error),
            };
            wanted.push((path, text));
        }
        let mut is_written = true;
        for (path, text) in wanted {
            if let Err(error) = write_file(path, &text) {
                live::say(&format!("floodgate: {} was not written: {error}", path.display()));
                is_written = false;
            }
        }
        is_written
    }
}

/// ISO 8601 in UTC without a zone, as JUnit has it.
fn started(summary: &Summary) -> Option<String> {
    summary.started_at.map(|ms| utc(ms).trim_end_matches('Z').to_owned())
}

/// A test of an hour should not end with a typo in a path.
fn check_path(flag: &str, path: &Path) -> Result<(), String> {
    let name = path.display();
    if path.is_dir() || path.file_name().is_none() {
        return Err(format!("{flag} {name}: use the name of a file, this is a folder"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.filter(|folder| !folder.is_dir()) {
        Some(folder) => Err(format!("{flag} {name}: create the folder {} first", folder.display())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::states::RunState;

    fn summary() -> Summary {
        Summary { state: RunState::Completed, started_at: Some(0.0), ..Summary::default() }
    }

    #[test]
    fn files_are_written_with_and_without_a_result() {
        let dir = std::env::temp_dir().join(format!("floodgate-output-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("created");
        let (md, xml) = (dir.join("r.md"), dir.join("r.xml"));
        let output = Output {
            markdown: Some(Destination::File(md.clone())),
            junit: Some(xml.clone()),
            ..Output::default()
        };
        output.check().expect("both can be created");
        let mut out = Vec::new();
        assert!(output.write(Ok(&summary()), &mut out));
        let read = |path: &Path| std::fs::read_to_string(path).expect("readable");
        assert!(read(&md).starts_with("### "), "{}", read(&md));
        assert!(read(&xml).contains("timestamp=\"1970-01-01T00:00:00\""), "{}", read(&xml));
        assert!(output.write(Err("no brokers"), &mut out));
        assert!(read(&md).contains("no brokers") && read(&xml).contains("<error message=\"no brokers\""));
        let missing = Output { junit: Some(dir.join("none/r.xml")), ..Output::default() };
        assert!(missing.check().is_err_and(|e| e.contains("create the folder")));
        assert!(!missing.write(Ok(&summary()), &mut out));
        let folder = Output { markdown: Some(Destination::File(dir.clone())), ..Output::default() };
        assert!(folder.check().is_err_and(|e| e.contains("folder")));
        assert_eq!(std::fs::read_dir(&dir).expect("readable").count(), 2, "no temporary file is left");
        std::fs::remove_dir_all(&dir).expect("removed");
        assert!(out.is_empty());
    }

    #[test]
    fn standard_output_has_one_document() {
        let markdown = Output { markdown: Some(Destination::Standard), ..Output::default() };
        let mut out = Vec::new();
        markdown.print(&summary(), None, &mut out).expect("in memory");
        assert!(out.starts_with(b"### "));
        let both = Output { json: true, ..markdown.clone() };
        assert!(both.check().is_err_and(|e| e.contains("--markdown FILE")));
        let mut out = Vec::new();
        assert!(markdown.write(Err("no brokers"), &mut out));
        assert!(String::from_utf8_lossy(&out).contains("no brokers"));
    }
}
