//! `docs/protocol.md` names every field of the messages that drivers and orchestrators write.

use std::path::Path;

/// The sources of the messages, and the fields that stand in them under another name.
const SOURCES: [&str; 7] = [
    "src/message/register.rs",
    "src/message/trigger.rs",
    "src/message/heartbeat.rs",
    "src/message/metrics.rs",
    "src/message/end.rs",
    "src/stats/counts.rs",
    "src/stats/generator.rs",
];
const RENAMED: [(&str, &str); 2] = [("is_final", "final"), ("node_ip", "node_IP")];
/// Fields that are no part of a message: those of a flattened or internal type, and of what only
/// floodgate-target and its drivers exchange.
const LEFT_OUT: [&str; 11] = [
    "node",
    "observed_ns",
    "known_ns",
    "on_cpu_ns",
    "waited_ns",
    "rested_ns",
    "before",
    "after",
    "instance",
    "requests",
    "errors",
];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The public fields of all structs in a source file.
fn fields(source: &str) -> Vec<&str> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let fields = code.lines().filter_map(|line| line.strip_prefix("    pub ")?.split_once(": "));
    fields
        .map(|(name, _)| name)
        .filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .collect()
}

#[test]
fn the_page_about_the_protocol_names_every_field() {
    let page = read("docs/protocol.md");
    let mut seen = 0;
    for path in SOURCES {
        let source = read(path);
        for field in fields(&source).into_iter().filter(|field| !LEFT_OUT.contains(field)) {
            let name = RENAMED.iter().find(|(own, _)| *own == field).map_or(field, |(_, name)| name);
            let is_named =
                [format!("`{name}`"), format!("\"{name}\":")].iter().any(|text| page.contains(text));
            assert!(is_named, "docs/protocol.md does not name {name}, a field in {path}");
            seen += 1;
        }
    }
    assert!(seen > 60, "only {seen} fields were found");
}
