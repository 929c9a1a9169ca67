//! Answers that are compared with a file, word by word.

/// Asserts that `found` is what stands in `tests/it/golden/NAME`, one answer after the other; answers are
/// separated by empty lines. With `UPDATE_GOLDEN` in the environment, it is written there first.
pub fn assert_in_file(name: &str, found: &str) {
    let path = format!("{}/tests/it/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, found).expect("writes");
    }
    let file = std::fs::read_to_string(&path).unwrap_or_default();
    for (found, expected) in found.split("\n\n").zip(file.split("\n\n")) {
        assert_eq!(found, expected);
    }
    assert_eq!(found, file);
}
