//! Single files: `DIR/<UTC start>-<test_id>-<name>.json`.

use super::names;
use super::saving::sync_folder;
use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Longest name that is used as it is, in bytes; file names have at most 255.
const MAX_NAME_BYTES: usize = 64;

/// Writes one file, complete or not at all.
///
/// # Errors
/// What failed.
pub fn write_document(
    dir: &Path,
    at_ms: f64,
    test_id: &str,
    name: &str,
    text: &str,
) -> Result<PathBuf, String> {
    let path = dir.join(format!("{}-{}.json", names::folder(at_ms, test_id)?, plain(name)));
    let written = fs::create_dir_all(dir).and_then(|()| write_file(&path, text));
    written.map(|()| path).map_err(|e| e.to_string())
}

/// Replaces a file, complete or not at all; a link stays a link. What is no file (a pipe, a terminal) is
/// written to. The new file has the permissions of the old one from the start.
///
/// # Errors
/// What failed; then the file is as it was.
pub fn write_file(path: &Path, text: &str) -> io::Result<()> {
    let existing = fs::metadata(path).ok();
    if existing.as_ref().is_some_and(|existing| !existing.is_file()) {
        return File::options().write(true).open(path)?.write_all(text.as_bytes());
    }
    let path = if existing.is_some() { fs::canonicalize(path)? } else { std::path::absolute(path)? };
    let temporary = path.with_file_name(format!(".writing-{}", uuid::Uuid::new_v4().simple()));
    let permissions = existing.map(|existing| existing.permissions());
    let written = write(&temporary, &path, text, permissions);
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write(temporary: &Path, path: &Path, text: &str, permissions: Option<Permissions>) -> io::Result<()> {
    let mut file = File::create_new(temporary)?;
    // Before the content, which others may not be allowed to read.
    permissions.map_or(Ok(()), |permissions| file.set_permissions(permissions))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(temporary, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    sync_folder(folder.unwrap_or(Path::new(".")))
}

/// A driver may have any name.
fn plain(name: &str) -> String {
    name.chars().take(MAX_NAME_BYTES).map(|c| if names::is_allowed(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_written_whole_and_again() {
        let dir = std::env::temp_dir().join(format!("floodgate-documents-{}", std::process::id()));
        let write = |text: &str| write_document(&dir, 0.0, "t", "dri/ver é", text);
        let path = write("one\n").expect("written");
        assert_eq!(write("two\n"), Ok(path.clone()));
        assert_eq!(path, dir.join("19700101T000000Z-t-dri_ver__.json"));
        assert_eq!(fs::read_to_string(&path).expect("read"), "two\n");
        assert_eq!(fs::read_dir(&dir).expect("readable").count(), 1);
        assert!(write_document(&dir, 0.0, "a/b", "d", "").is_err_and(|e| e.contains("file name")));
        assert!(write_document(&path, 0.0, "t", "d", "").is_err());
        fs::remove_dir_all(&dir).expect("removed");
    }

    #[test]
    fn the_content_is_never_readable_for_more_than_the_old_file_was() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = std::env::temp_dir().join(format!("floodgate-private-{}", std::process::id()));
        let (temporary, folder) = (dir.join("temporary"), dir.join("folder"));
        fs::create_dir_all(folder.join("full")).expect("created");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        // A folder cannot be replaced, so this shows what the file was before the rename.
        write(&temporary, &folder, "x", Some(Permissions::from_mode(0o600))).expect_err("a folder");
        assert_eq!((mode(&temporary), fs::read(&temporary).expect("read")), (0o600, b"x".to_vec()));
        let file = dir.join("a.md");
        write_file(&file, "one").expect("written");
        fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("set");
        write_file(&file, "two").expect("written");
        assert_eq!((mode(&file), fs::read(&file).expect("read")), (0o640, b"two".to_vec()));
        fs::remove_dir_all(&dir).expect("removed");
    }

    #[test]
    fn a_file_is_replaced_and_a_link_stays_one() {
        let dir = std::env::temp_dir().join(format!("floodgate-files-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("created");
        let (file, link) = (dir.join("a.md"), dir.join("b.md"));
        write_file(&file, "one").expect("written");
        std::os::unix::fs::symlink(&file, &link).expect("linked");
        write_file(&link, "two").expect("written");
        assert_eq!(fs::read_to_string(&file).expect("read"), "two");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        write_file(Path::new("/dev/null"), "three").expect("written to a device");
        assert!(write_file(&dir.join("none/a.md"), "x").is_err() && write_file(&dir, "x").is_err());
        assert_eq!(fs::read_dir(&dir).expect("readable").count(), 2, "no temporary file is left");
        fs::remove_dir_all(&dir).expect("removed");
    }
}
