//! Credentials, certificates, names and Unix sockets by flags, as whole runs.

use crate::client_contract::access::CLIENT_CA;
use crate::client_contract::tls;
use crate::orchestrator::support::{SOON, local, orchestrator, wait_alive, wait_state};
use crate::support::http_server::Server;
use crate::support::process::{run, stderr, stdout};
use crate::support::scratch::Scratch;
use floodgate::driver::credentials::Credentials;
use floodgate::driver::{self, prepare::ClientSettings};
use floodgate::message::{RequestSpec, TestConfig, TestType};
use floodgate::plan::Defaults;
use floodgate::stats::summary::Summary;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::thread;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn summary(words: &[&str], env: &[(&str, &str)]) -> (Summary, String) {
    let output = run("floodgate", &[&["run", "--json", "-q"], words].concat(), env);
    let text = stdout(&output);
    let summary = serde_json::from_str(&text).unwrap_or_else(|why| panic!("{why}: {}", stderr(&output)));
    (summary, text)
}

fn has_note(summary: &Summary) -> bool {
    summary.findings.iter().any(|finding| finding.code == "certificates_unverified")
}

/// Values of a header in the requests to `/x`.
fn values(server: &Server, name: &str) -> Vec<Option<String>> {
    let received = server.received();
    let wanted = received.iter().filter(|request| request.line().contains(" /x "));
    wanted.map(|request| request.header(name).map(str::to_owned)).collect()
}

#[test]
fn credentials_are_sent_and_hidden_everywhere() {
    let dir = Scratch::new("access");
    let file = dir.path().join("secret");
    let (out, file_word) = (dir.path().join("out"), file.to_str().expect("UTF-8"));
    let out = out.to_str().expect("UTF-8");
    let server = Server::answering(OK);
    let url = server.url("/x");
    let base = [url.as_str(), "-n", "3", "-c", "1", "--out", out, "-vv"];
    let from_file = format!("@{file_word}");
    for (flags, env, content, expected) in [
        (&["--basic", "joe:swordfish"][..], &[][..], "", "Basic am9lOnN3b3JkZmlzaA=="),
        (&["--basic", &from_file], &[], "joe:swordfish\n", "Basic am9lOnN3b3JkZmlzaA=="),
        (&[], &[("FLOODGATE_BASIC", "joe:swordfish")], "", "Basic am9lOnN3b3JkZmlzaA=="),
        (&["--bearer-file", file_word], &[], "swordfish\n", "Bearer swordfish"),
    ] {
        fs::write(&file, content).expect("written");
        let before = values(&server, "authorization").len();
        let output = run("floodgate", &[&["run"], &base[..], flags].concat(), env);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let sent = values(&server, "authorization");
        assert_eq!(sent[before..], vec![Some(expected.to_owned()); 3]);
        fs::remove_file(&file).expect("removed");
        let saved = texts(dir.path());
        assert!(saved.len() > 100 && saved.contains("(hidden)"), "{saved}");
        for text in [stdout(&output), stderr(&output), saved] {
            assert!(!text.contains("swordfish") && !text.contains("am9lOnN3b3JkZmlzaA"), "{text}");
        }
    }
}

#[test]
fn what_a_fleet_gets_from_the_environment_is_named() {
    let said = |words: &[&str], env: &[(&str, &str)]| {
        let output = run("floodgate", &[&["run", "http://127.0.0.1:1/x", "-n", "1"], words].concat(), env);
        let said = stderr(&output);
        assert!(!said.contains("swordfish") && !said.contains("am9lOnN3b3JkZmlzaA"), "{said}");
        said.matches("settings from the environment").count() + said.matches("(FLOODGATE_BASIC)").count()
    };
    let fleet = ["--orchestrator", "http://127.0.0.1:1"];
    let basic = ("FLOODGATE_BASIC", "joe:swordfish");
    assert_eq!(said(&fleet, &[basic]), 2, "one line with the name");
    assert_eq!(said(&fleet, &[("FLOODGATE_INSECURE", "true")]), 1, "another name");
    assert_eq!(said(&[&fleet[..], &["--basic", "joe:swordfish"]].concat(), &[]), 0, "a flag");
    assert_eq!(said(&[], &[basic]), 0, "a local run");
}

#[test]
fn a_drivers_setting_in_the_environment_is_named_by_its_variable() {
    let words = ["run", "http://127.0.0.1:1/x", "-n", "1", "--orchestrator", "http://127.0.0.1:1"];
    for name in ["FLOODGATE_CERT", "FLOODGATE_UNIX_SOCKET", "FLOODGATE_HTTP_PROXY"] {
        let output = run("floodgate", &words, &[(name, "swordfish")]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("{name} in the environment is a setting of each driver")), "{said}");
        assert!(!said.contains("swordfish"), "{said}");
    }
}

/// Everything that is in a folder.
fn texts(dir: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(dir).expect("read") {
        let path = entry.expect("entry").path();
        match path.is_dir() {
            true => all.push_str(&texts(&path)),
            false => all.push_str(&String::from_utf8_lossy(&fs::read(&path).expect("read"))),
        }
    }
    all
}

#[test]
fn unverified_certificates_are_said_in_the_result_and_in_its_replay() {
    let server = tls::server_with(tls::SELF_SIGNED, tls::SELF_SIGNED_KEY, tls::ok);
    let url = format!("https://127.0.0.1:{}/x", server.address.port());
    let (refused, _) = summary(&[&url, "-n", "4"], &[]);
    assert_eq!((refused.total.responses, has_note(&refused)), (0, false));
    let dir = Scratch::new("insecure");
    for client in ["native", "ureq"] {
        let words = [url.as_str(), "-n", "4", "--insecure", "--client", client, "--out", dir.word()];
        let (accepted, text) = summary(&words, &[]);
        assert_eq!((accepted.total.responses, has_note(&accepted)), (4, true), "{text}");
        assert_eq!(accepted.plan["insecure"], true);
        let folder = dir.entries().pop().expect("a folder");
        let replayed = run("floodgate", &["replay", "--json", folder.to_str().expect("UTF-8")], &[]);
        assert_eq!(stdout(&replayed), text);
        fs::remove_dir_all(&folder).expect("removed");
    }
    // Where nothing is verified in any case, there is nothing to say.
    let (plain, _) = summary(&[&Server::answering(OK).url("/x"), "-n", "2", "--insecure"], &[]);
    assert!(plain.total.responses == 2 && !has_note(&plain));
}

#[test]
fn a_client_certificate_is_read_from_one_or_two_files() {
    let server = tls::serving(tls::CERTIFICATE, tls::KEY, Some(CLIENT_CA), tls::ok);
    let url = format!("https://localhost:{}/x", server.address.port());
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/tls");
    let path = |name: &str| format!("{folder}/{name}");
    let (ca, cert, key) = (path("ca.pem"), path("client.pem"), path("client.key"));
    let dir = Scratch::new("cert");
    let both = dir.path().join("both.pem");
    fs::write(&both, [fs::read(&cert).expect("read"), fs::read(&key).expect("read")].concat())
        .expect("written");
    let both = both.to_str().expect("UTF-8");
    for cert in [&["--cert", &cert, "--key", &key][..], &["--cert", both]] {
        let words = [&[url.as_str(), "-n", "4", "--ca-cert", &ca], cert].concat();
        assert_eq!(summary(&words, &[]).0.total.responses, 4);
    }
    let (refused, text) = summary(&[&url, "-n", "4", "--ca-cert", &ca], &[]);
    assert_eq!(refused.total.responses, 0);
    assert!(text.contains("demands a client certificate"), "{text}");
}

#[test]
fn a_name_goes_into_the_host_header_and_the_handshake() {
    let server = tls::server(tls::ok);
    let url = format!("https://127.0.0.2:{}/x", server.address.port());
    let pinned = format!("127.0.0.2:{}:127.0.0.1", server.address.port());
    let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/tls/ca.pem");
    let base = [url.as_str(), "-n", "2", "--ca-cert", ca, "--resolve", &pinned, "--compressed"];
    assert_eq!(summary(&base, &[]).0.total.responses, 0, "the certificate is not for 127.0.0.2");
    for (flags, expected) in [
        (&["--host", "localhost:81"][..], "localhost:81"),
        (&["--host", "localhost", "-H", "Host: shop.example"], "shop.example"),
    ] {
        let (found, text) = summary(&[&base[..], flags].concat(), &[]);
        assert_eq!(found.total.responses, 2, "{text}");
        let received = server.received();
        let last = received.last().expect("a request");
        assert_eq!(last.header("host"), Some(expected));
        assert_eq!(last.header("accept-encoding"), Some("gzip, deflate, br, zstd"));
    }
}

#[test]
fn a_run_goes_through_a_unix_socket() {
    let dir = Scratch::new("unix-run");
    let path = dir.path().join("app.sock");
    let listener = UnixListener::bind(&path).expect("binds");
    let server = thread::spawn(move || {
        let serve = |stream: std::os::unix::net::UnixStream| {
            let mut lines = BufReader::new(stream.try_clone().expect("cloned")).lines();
            let (mut stream, mut hosts) = (stream, Vec::new());
            while let Some(Ok(line)) = lines.next() {
                if let Some(host) = line.strip_prefix("host: ") {
                    hosts.push(host.to_owned());
                } else if line.is_empty() {
                    stream.write_all(OK.as_bytes()).expect("writes");
                }
            }
            hosts
        };
        let streams: Vec<_> = listener.incoming().take(2).flatten().collect();
        let threads: Vec<_> =
            streams.into_iter().map(|stream| thread::spawn(move || serve(stream))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("ends")).collect::<Vec<_>>()
    });
    let words =
        ["http://app.invalid:81/x", "-n", "40", "-c", "2", "--unix-socket", path.to_str().expect("UTF-8")];
    let (found, text) = summary(&words, &[]);
    assert_eq!((found.total.responses, found.conservation.planned), (40, 40), "{text}");
    assert_eq!(server.join().expect("ends"), vec!["app.invalid:81"; 40]);
    let output = run("floodgate", &[&["run"], &words[..], &["--client", "ureq"]].concat(), &[]);
    assert!(
        stderr(&output).contains("use --client native") || stdout(&output).contains("use --client native")
    );
}

#[test]
fn a_drivers_own_credentials_stay_with_it() {
    let (target, other) = (Server::answering(OK), Server::answering(OK));
    let other_url = format!("http://localhost:{}/x", other.address.port());
    let bus = local();
    let orchestrator = orchestrator(&bus);
    let control = orchestrator.control();
    let config = driver::Config {
        node_id: "d".to_owned(),
        node_ip: "127.0.0.1".to_owned(),
        defaults: Defaults { target_url: Some(target.url("/x")), ..Defaults::default() },
        allow_targets: vec!["localhost".to_owned()],
        clients: ClientSettings {
            credentials: Some(Credentials::new(&target.url("/"), "Bearer swordfish").expect("valid")),
            ..ClientSettings::default()
        },
        connect_timeout: SOON,
        ..driver::Config::default()
    };
    let driver = driver::start(Arc::clone(&bus), config).expect("driver");
    wait_alive(&control, 1);
    let headers = vec![("Authorization".to_owned(), "Basic x".to_owned())];
    let planned = RequestSpec { headers, ..RequestSpec::default() };
    for (id, url, request, server, expected) in [
        ("own", None, None, &target, Some("Bearer swordfish")),
        ("planned", None, Some(planned), &target, Some("Basic x")),
        ("other", Some(other_url), None, &other, None),
    ] {
        let mut plan = TestConfig::new(id, TestType::Avalanche);
        (plan.message_count_per_driver, plan.connections) = (Some(3), Some(1));
        (plan.target_url, plan.request) = (url, request);
        let before = values(server, "authorization").len();
        control.configure(plan).expect("configured");
        let summary = wait_state(&control, id, "completed");
        assert_eq!(summary.total.responses, 3);
        assert_eq!(values(server, "authorization")[before..], vec![expected.map(str::to_owned); 3], "{id}");
        let text = serde_json::to_string(&summary).expect("JSON");
        assert!(!text.contains("swordfish"), "{text}");
    }
    driver.shutdown();
}
