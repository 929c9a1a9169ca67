//! Files of feeds that a command line or a plan file names.

use crate::feed::{Format, INLINE_BYTES, Pick, fits_in_plan, survey};
use crate::message::FeedSpec;
use crate::plan::feed_options::FeedOptions;
use crate::plan::names;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// `NAME=FILE`, or `NAME=FILE:PICK`.
///
/// # Errors
/// What is allowed.
pub fn flag(text: &str) -> Result<FeedOptions, String> {
    let how = "use NAME=FILE, like users=users.csv, or NAME=FILE:PICK with cycle, random or unique";
    let (name, file) = text.split_once('=').ok_or(how)?;
    names::check(name)?;
    let (file, pick) = file_and_pick(file);
    if file.is_empty() {
        return Err(how.to_owned());
    }
    Ok(FeedOptions { name: name.to_owned(), file: Some(file.to_owned()), pick, ..FeedOptions::default() })
}

/// The parts of `FILE`, or `FILE:PICK`.
pub fn file_and_pick(text: &str) -> (&str, Option<Pick>) {
    match text.rsplit_once(':').map(|(file, pick)| (file, Pick::named(pick))) {
        Some((file, Some(pick))) => (file, Some(pick)),
        _ => (text, None),
    }
}

/// Reads a feed once, to say in the plan what it is. Small ones become a part of the plan.
///
/// # Errors
/// The key that is wrong, and what is wrong with the file, with the number of the line.
pub fn read(feed: &mut FeedOptions, folder: &Path) -> Result<(), (&'static str, String)> {
    if feed.read_rows().map_err(|why| ("rows", why))? {
        return Ok(());
    }
    let file = feed.file.clone().unwrap_or_default();
    let path = folder.join(&file);
    let in_file = |why: String| ("file", format!("{}: {why}", path.display()));
    let format = Format::of(&file).map_err(in_file)?;
    feed.read = Some(read_file(&path, format).map_err(in_file)?);
    feed.path = Some(path);
    Ok(())
}

/// What a plan says of a file.
///
/// # Errors
/// What is wrong with it, with the number of the line.
pub fn read_file(path: &Path, format: Format) -> Result<FeedSpec, String> {
    let mut file = open(path)?;
    let cannot = |error: std::io::Error| format!("cannot be read: {error}");
    let mut begin = Vec::new();
    (&mut file).take(INLINE_BYTES as u64 + 1).read_to_end(&mut begin).map_err(cannot)?;
    spec(path, format, begin, file)
}

/// Opens a file.
///
/// # Errors
/// Why it cannot be opened.
pub fn open(path: &Path) -> Result<File, String> {
    File::open(path).map_err(|error| format!("cannot be opened: {error}"))
}

/// What a plan says of a file that begins with `begin`, which is all of it or longer than what fits in a
/// plan, and goes on with `rest`.
///
/// # Errors
/// What is wrong with the file, with the number of the line.
pub fn spec(path: &Path, format: Format, begin: Vec<u8>, rest: impl Read) -> Result<FeedSpec, String> {
    let found = survey(format, begin.as_slice().chain(rest))?;
    let text = String::from_utf8(begin).ok().filter(|text| fits_in_plan(text));
    Ok(FeedSpec {
        format,
        columns: found.columns,
        count: found.count,
        sha256: found.sha256,
        file: path.file_name().map(|name| name.to_string_lossy().into_owned()),
        data: text,
        ..FeedSpec::default()
    })
}

/// The files of the feeds that a plan does not contain.
pub fn files(feeds: &[FeedOptions]) -> Vec<(String, PathBuf)> {
    feeds.iter().filter_map(|feed| Some((feed.name.clone(), feed.path.clone()?))).collect()
}
