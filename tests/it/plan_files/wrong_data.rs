//! Compares the answers to plan files with wrong templates and feeds with one file, word by word.
//! `UPDATE_GOLDEN=1 cargo test --test it plan_files` rewrites it; review its diff.

use super::scratch;
use crate::support::golden::assert_in_file;
use floodgate::cli::{Floodgate, Task, try_parse};
use std::fmt::Write as _;

/// Files beside the plan file.
const BESIDE: [(&str, &[u8]); 8] = [
    ("users.csv", b"id,term,password\n1,red shoes,x\n2,socks,y\n"),
    ("empty.csv", b"id,term\n"),
    ("short.csv", b"id,term\n1,shoes\n2\n"),
    ("twice.csv", b"id,term,id\n1,shoes,2\n"),
    ("latin.csv", b"id,term\n1,caf\xe9\n"),
    ("semicolon.csv", b"id;term\n1;shoes\n"),
    ("users.jsonl", b"{\"id\": 1}\n{\"id\": }\n"),
    ("users.xlsx", b"PK"),
];

/// Requests that use the feed `users`, which is `users.csv`.
const REQUESTS: [&str; 25] = [
    "url = \"/search?q={{users.trem|url}}\"",
    "url = \"/search?q={{user.term|url}}\"",
    "url = \"/search?q={{users.price}}\"",
    "url = \"/search?q={{users.term|uri}}\"",
    "url = \"/search?q={{users.term|url|json}}\"",
    "url = \"/search?page={{int(20,1)}}\"",
    "url = \"/search?page={{int(1)}}\"",
    "url = '/search?page={{int(1,\"many\")}}'",
    "url = \"/search?q={{choice(red,dark blue)}}\"",
    "url = \"/search?q={{choice()}}\"",
    "url = \"/search?q={{uuid\"",
    "url = \"/search?q={{}}\"",
    "url = \"/search?q={{search term}}\"",
    "url = \"/search{{uuid}}#results\"",
    "url = \"/se arch{{uuid}}\"",
    "headers = { x-tag = \"{{uid}}\" }",
    "headers = { x-tag = \"{{users.}}\" }",
    "headers = { x-tag = \"{{random(1000)}}\", authorization = \"swordfish {{now}}\" }",
    "body = '{\"at\": {{timestamp}}}'",
    "body = '{\"user\": \"{{users.login|json}}\"}'",
    "body = \"{{driver()}}\"",
    "body = \"{{counter(1)}}\"",
    "body = '''\n{\n  \"a\": {{choice('x)}}\n}'''",
    "body = '{{{users.id}}}'",
    "method = \"{{choice(GET,PUT)}}\"",
];

/// Other plan files.
const FILES: [&str; 23] = [
    "ab = [\"http://a/\", \"http://b/{{users.id}}\"]\n[feeds.users]\nfile = \"users.csv\"",
    "target_url = \"http://{{users.host}}/\"",
    "target_url = \"http://127.0.0.1/{{uid}}\"",
    "[request]\nheaders = { x-tag = \"{{users.id}}\" }",
    "seed = -1",
    "seed = \"x\"",
    "feeds = \"users.csv\"",
    "[feeds]\nusers = \"users.csv\"",
    "[feeds.users]\npick = \"unique\"",
    "[feeds.users]\nfile = \"users.csv\"\nrows = [{ id = 1 }]",
    "[feeds.users]\nfile = \"users.csv\"\npick = \"once\"\nat_end = \"begin\"",
    "[feeds.users]\nfile = \"users.csv\"\npick = \"unique\"\nat_end = \"repeat\"",
    "[feeds.users]\nfile = \"users.csv\"\norder = \"random\"",
    "[feeds.\"my users\"]\nfile = \"users.csv\"",
    "[feeds.users]\nfile = \"no/such/file.csv\"",
    "[feeds.users]\nfile = \"users.xlsx\"",
    "[feeds.users]\nfile = \"empty.csv\"",
    "[feeds.users]\nfile = \"short.csv\"",
    "[feeds.users]\nfile = \"twice.csv\"",
    "[feeds.users]\nfile = \"latin.csv\"",
    "target_url = \"http://127.0.0.1/{{users.id}}\"\n\n[feeds.users]\nfile = \"semicolon.csv\"",
    "[feeds.users]\nfile = \"users.jsonl\"",
    "[feeds.users]\nrows = [{ id = 1, term = \"shoes\" }, { id = 2 }]",
];

/// A rate is missing.
const WARM: &str = "target_url = \"http://127.0.0.1/{{users.id}}\"\nwarmup = \"5s\"\n\n[feeds.users]\n\
                    file = \"users.csv\"\npick = \"unique\"";

fn answers() -> String {
    let scratch = scratch();
    for (name, content) in BESIDE {
        std::fs::write(scratch.path().join(name), content).expect("writes");
    }
    let path = scratch.path().join("plan.toml");
    let name = path.to_str().expect("UTF-8");
    let one = |request: &&str| {
        format!("[feeds.users]\nfile = \"users.csv\"\n\n[[requests]]\nname = \"search\"\n{request}")
    };
    let files = FILES.iter().map(|file| (*file).to_owned()).chain([WARM.to_owned()]);
    let mut out = String::new();
    for text in REQUESTS.iter().map(one).chain(files) {
        std::fs::write(&path, &text).expect("writes");
        let answer =
            match try_parse::<Floodgate>(["floodgate", "plan", "check", name]).expect("valid").into_task() {
                Task::Plan(args) => args.text().expect_err(&text),
                other => panic!("{other:?}"),
            };
        let answer = answer.replace(&format!("{}/", scratch.word()), "");
        let _ = writeln!(out, "{text}\nerror: {answer}\n");
    }
    out
}

#[test]
fn every_wrong_template_or_feed_gets_the_answer_in_the_file() {
    let found = answers();
    assert_in_file("wrong_data.txt", &found);
    assert_eq!(found.matches("\nerror: ").count(), REQUESTS.len() + FILES.len() + 1);
    assert!(
        !found
            .split("\nerror: ")
            .skip(1)
            .any(|rest| { rest.split("\n\n").next().is_some_and(|answer| answer.contains("swordfish")) })
    );
}
