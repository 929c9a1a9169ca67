//! The files in `deploy/` name settings, commands and paths that exist.

use crate::support::process::{run, stdout};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Every file in `deploy/`, with its text.
fn files() -> Vec<(PathBuf, String)> {
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => open.push(path),
                false => found.push((path.clone(), std::fs::read_to_string(&path).expect("text"))),
            }
        }
    }
    found
}

fn text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The words of a text that begin with `prefix` and go on with capitals, digits or underscores.
fn variables(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_uppercase() || c == '_';
    let words = text.split(|c: char| !is_part(c)).filter(|word| word.starts_with("FLOODGATE_"));
    words.map(str::to_owned).collect()
}

#[test]
fn every_variable_is_one_of_a_role() {
    let known: BTreeSet<String> = ["orchestrator", "driver", "target"]
        .iter()
        .flat_map(|role| variables(&stdout(&run("floodgate", &[role, "--help"], &[]))))
        .collect();
    assert!(known.contains("FLOODGATE_NODE_ID"), "{known:?}");
    let mut count = 0;
    for (path, text) in files() {
        for name in variables(&text) {
            assert!(known.contains(&name), "{}: no role has the variable {name}", path.display());
            count += 1;
        }
    }
    assert!(count > 5, "only {count} variables were found");
}

#[test]
fn each_unit_starts_its_role_with_the_variables_that_it_requires() {
    for role in ["orchestrator", "driver"] {
        let unit = text(&format!("systemd/floodgate-{role}.service"));
        let start = format!("\nExecStart=/usr/local/bin/floodgate {role}\n");
        assert!(unit.contains(&start), "{role}: {unit}");
        assert!(unit.contains(&format!("EnvironmentFile=/etc/floodgate/{role}.env\n")), "{role}: {unit}");
        // What the program says that it misses must be set in the unit or named in its head.
        let refused = run("floodgate", &[role], &[]);
        assert_eq!(refused.status.code(), Some(2));
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        let mut missing = 0;
        for line in said.lines().filter_map(|line| line.trim().strip_prefix("--")) {
            let flag = line.split([' ', '=']).next().unwrap_or_default();
            let variable = format!("FLOODGATE_{}", flag.to_uppercase().replace('-', "_"));
            assert!(unit.contains(&variable), "{role}: {variable} is required");
            missing += 1;
        }
        assert!(missing > 0, "{said}");
    }
}

#[test]
fn the_image_runs_the_binary_that_just_static_builds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read_to_string(root.join(name)).expect(name);
    let image = text("Dockerfile");
    assert!(image.contains("target/${ARCH}-unknown-linux-musl/dist/floodgate /floodgate"), "{image}");
    assert!(read("scripts/static").contains("profile=dist\n"));
    assert!(read("Cargo.toml").contains("[profile.dist]"));
    assert!(read(".dockerignore").contains("!target/*/dist/floodgate"));
}

#[test]
fn the_pods_run_roles_and_each_driver_has_a_name_of_its_own() {
    let manifest = text("kubernetes.yaml");
    for role in ["orchestrator", "driver"] {
        assert!(manifest.contains(&format!("args: [{role}")), "{manifest}");
    }
    let named = "- name: FLOODGATE_NODE_ID\n              valueFrom:\n                \
                 fieldRef: {fieldPath: metadata.name}";
    assert!(manifest.contains(named), "{manifest}");
    let flags = ["--listen", "--allow-host"];
    let help = stdout(&run("floodgate", &["orchestrator", "--help"], &[]));
    for flag in manifest.split([' ', ',', '[', ']']).filter(|word| word.starts_with("--") && word.len() > 3) {
        let is_comment = ["--from-literal", "--replicas"].iter().any(|other| flag.starts_with(other));
        assert!(is_comment || (flags.contains(&flag) && help.contains(flag)), "{flag}");
    }
}
