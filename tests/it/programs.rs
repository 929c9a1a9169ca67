//! One binary, several programs: the commands of `floodgate`, and links to it by the names of the roles.

use crate::support::process::{run, stderr, stdout};
use crate::support::scratch::Scratch;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ROLES: [&str; 3] = ["orchestrator", "driver", "target"];

/// Runs a program at this path, without the settings of the test's environment.
fn run_at(path: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(path);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FLOODGATE_")) {
        command.env_remove(name);
    }
    command.args(words).output().expect("the program starts")
}

fn link(folder: &Scratch, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    symlink(env!("CARGO_BIN_EXE_floodgate"), &path).expect("a link");
    path
}

#[test]
fn every_role_is_a_command_with_the_flags_of_its_program() {
    let overview = stdout(&run("floodgate", &["--help"], &[]));
    for role in ROLES {
        let program = format!("floodgate-{role}");
        let own = stdout(&run(&program, &["--help"], &[]));
        let help = run("floodgate", &[role, "--help"], &[]);
        assert!(help.status.success(), "{}", stderr(&help));
        assert!(own.contains(&format!("Usage: {program} [OPTIONS]")), "{own}");
        let expected = own.replace(&format!("Usage: {program}"), &format!("Usage: floodgate {role}"));
        assert_eq!(stdout(&help), expected);
        assert!(overview.contains(&format!("\n  {role} ")), "{overview}");
        let version = stdout(&run("floodgate", &[role, "--version"], &[]));
        assert_eq!(version, format!("{program} {}\n", env!("CARGO_PKG_VERSION")));
        let manual = stdout(&run("floodgate", &["man", role], &[]));
        assert!(manual.contains(&format!(".TH {program} ")) && manual.contains("log\\-level"), "{manual}");
    }
}

#[test]
fn a_link_with_the_name_of_a_role_is_that_role() {
    let folder = Scratch::new("links");
    for role in ROLES {
        let program = format!("floodgate-{role}");
        let linked = run_at(&link(&folder, &program), &["--help"]);
        assert_eq!(stdout(&linked), stdout(&run(&program, &["--help"], &[])));
    }
    let other = run_at(&link(&folder, "fg"), &["target", "--version"]);
    assert_eq!(stdout(&other), stdout(&run("floodgate-target", &["--version"], &[])));
}

#[test]
fn messages_begin_with_the_name_that_was_called() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = taken.local_addr().expect("an address").to_string();
    let words = ["--listen", &addr, "--log-level", "off"];
    let folder = Scratch::new("names");
    let by_link = run_at(&link(&folder, "floodgate-target"), &words);
    let by_command = run("floodgate", &[&["target"][..], &words].concat(), &[]);
    let by_program = run("floodgate-target", &words, &[]);
    assert_eq!([&by_link, &by_command, &by_program].map(|output| output.status.code()), [Some(1); 3]);
    let said = stderr(&by_program);
    assert!(said.starts_with("floodgate-target: ") && said.contains("in use"), "{said}");
    assert_eq!(stderr(&by_link), said);
    assert_eq!(stderr(&by_command), said.replacen("floodgate-target", "floodgate target", 1));
}
