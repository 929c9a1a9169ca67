use super::disk::{Output, Small};
use super::*;
use crate::bus::{Record, Topic};
use crate::message::{NodeRef, TestConfig, TestType, encode};
use crate::stats::histogram::{Histogram, Packed};
use crate::stats::summary::{SCHEMA, Summary};
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// 2026-11-28T17:10:10Z
const AT_MS: f64 = 1_795_885_810_000.0;
const NAME: &str = "20261128T171010Z-t-1";

/// An empty folder of its own for each test, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("floodgate-store-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("created");
        Scratch(path)
    }

    fn names(&self) -> Vec<String> {
        names(&self.0)
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(NAME).join(file)).expect(file)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).expect("readable");
    let mut names: Vec<String> =
        entries.map(|e| e.expect("entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn record(topic: Topic, offset: i64, value: &[u8]) -> Record {
    let key = "driver-1".to_owned();
    Record { topic, partition: 0, offset, key, value: value.to_vec(), append_ms: Some(1_000 + offset) }
}

fn plan(test_id: &str) -> Record {
    let mut config = TestConfig::new(test_id, TestType::Tsunami);
    config.drivers = vec![NodeRef { node_id: "driver-1".to_owned(), epoch: 7 }];
    record(Topic::TestConfig, 3, &encode(&config))
}

fn end(offset: i64) -> Record {
    let text = br#"{"test_id":"t-1","trigger":"END","ended_at_ms":5.0,"state":"completed"}"#;
    record(Topic::Metrics, offset, text)
}

fn saved(test_id: &str, at_ms: f64) -> Saved {
    let mut latency = Histogram::new();
    latency.record_us(1_500);
    let summary = Summary {
        schema: SCHEMA.to_owned(),
        test_id: test_id.to_owned(),
        test_type: "TSUNAMI".to_owned(),
        started_at: Some(at_ms),
        plan: serde_json::json!({"request": {"headers": [["Authorization", "Bearer x"]]}}),
        ..Summary::default()
    };
    let second = Packed::decode(&latency.encode().expect("encodes")).expect("decodes");
    let service = latency.clone();
    Saved { summary, at_ms, intervals: vec![(1, second)], latency, service, events: Vec::new() }
}

/// The records of a test in a possible order.
fn records() -> Vec<Record> {
    vec![
        record(Topic::Heartbeat, 5, br#"{"test_id":"t-1"}"#),
        plan("t-1"),
        record(Topic::Trigger, 6, br#"{"test_id":"t-1","trigger":"YES"}"#),
        record(Topic::Metrics, 8, br#"{"sequence":1}"#),
        record(Topic::Metrics, 9, br#"{"sequence":2}"#),
        end(10),
        record(Topic::Metrics, 11, br#"{"sequence":3}"#),
        record(Topic::Trigger, 90, br#"{"test_id":"t-1","trigger":"END"}"#),
    ]
}

fn run(store: &Store, records: &[Record]) -> Outcome {
    let mut recording = store.record();
    records.iter().for_each(|record| recording.add(record));
    store.save(saved("t-1", AT_MS), Some(recording))
}

fn whole(dir: &Scratch) -> Outcome {
    Outcome { folder: Some(dir.0.join(NAME)), problems: Vec::new() }
}

#[test]
fn a_test_is_saved_with_all_its_files_and_listed() {
    let dir = Scratch::new("whole");
    let store = Store::open(&dir.0, None);
    assert_eq!(run(&store, &records()), whole(&dir));
    let mut files = FILES.to_vec();
    files.sort_unstable();
    assert_eq!(names(&dir.0.join(NAME)), files);
    let store = Store::open(&dir.0, None);
    let row = &store.list(10)[0];
    assert_eq!((row.test_id.as_str(), row.started_at), ("t-1", Some(AT_MS)));
    let folder = store.test("t-1").expect("saved");
    assert_eq!(folder.path, dir.0.join(NAME));
    assert!(store.test("t").is_none() && store.test("..").is_none());
    drop(store);
}

#[test]
fn the_files_are_what_they_say() {
    let dir = Scratch::new("files");
    run(&Store::open(&dir.0, None), &records());
    let text = dir.read(SUMMARY);
    assert!(text.ends_with("}\n") && text.contains("(hidden)") && !text.contains("Bearer"), "{text}");
    let summary: Summary = serde_json::from_str(&text).expect("a summary");
    assert_eq!(summary.document(), text);
    assert!(dir.read(SERIES).starts_with("second,planned,requests,"));
    assert!(dir.read(PERCENTILES).contains("       1.500 1.000000000000          1\n"));
    assert!(dir.read(INTERVALS).contains("\n0.000,1.000,1.500,HISTFAAA"));
    let report = dir.read(REPORT);
    assert!(report.contains("(hidden)") && !report.contains("Bearer"), "{report}");
    assert!(report.contains("Test t-1") && report.contains("SHA-256"), "{report}");
    let text = dir.read(RECORDS);
    let read: Vec<(Topic, i64)> =
        Lines::new(text.as_bytes()).map(|r| r.expect("a record")).map(|r| (r.topic, r.offset)).collect();
    let expected = [
        (Topic::TestConfig, 3),
        (Topic::Metrics, 8),
        (Topic::Metrics, 9),
        (Topic::Metrics, 10),
        (Topic::Trigger, 6),
        (Topic::Heartbeat, 5),
    ];
    assert_eq!(read, expected, "the plan, the reports up to the END, and nothing later");
}

#[test]
fn readers_that_see_other_orders_save_the_same_bytes() {
    let (one, other) = (Scratch::new("order-1"), Scratch::new("order-2"));
    run(&Store::open(&one.0, None), &records());
    let mut mixed = records();
    mixed.rotate_left(2);
    // The order within a topic stays; some are read twice.
    mixed.sort_by_key(|record| (record.topic == Topic::TestConfig, record.offset));
    mixed.extend(records());
    run(&Store::open(&other.0, None), &mixed);
    for file in FILES {
        assert_eq!(one.read(file), other.read(file), "{file}");
    }
}

#[test]
fn a_topic_that_was_created_again_goes_on_with_its_records() {
    let dir = Scratch::new("again");
    let again = Record { append_ms: Some(5_000), ..record(Topic::Metrics, 0, br#"{"sequence":9}"#) };
    run(&Store::open(&dir.0, None), &[plan("t-1"), record(Topic::Metrics, 9, b"{}"), again.clone(), again]);
    assert_eq!(dir.read(RECORDS).lines().count(), 3);
}

#[test]
fn two_processes_leave_one_folder() {
    let dir = Scratch::new("two");
    let (one, other) = (Store::open(&dir.0, None), Store::open(&dir.0, None));
    assert_eq!(dir.names().len(), 2, "each has its workspace, which the other keeps");
    let [mut first, mut second] = [one.record(), other.record()];
    records().iter().for_each(|record| first.add(record));
    records().iter().for_each(|record| second.add(record));
    // The second one finds out only when it publishes.
    let folder = second.folder().to_owned();
    let mut filling = Filling { disk: &Files, folder: folder.clone(), problems: Vec::new() };
    filling.fill(saved("t-1", AT_MS), Some(&mut second)).expect("filled");
    assert_eq!(one.save(saved("t-1", AT_MS), Some(first)), whole(&dir));
    assert_eq!(other.publish(&folder, NAME).expect("no error"), dir.0.join(NAME));
    assert_eq!(other.save(saved("t-1", AT_MS), Some(second)), whole(&dir));
    drop((one, other));
    assert_eq!(dir.names(), [NAME]);
}

#[test]
fn leftovers_of_crashed_processes_are_removed_and_nothing_else() {
    let dir = Scratch::new("leftovers");
    fs::create_dir_all(dir.0.join(".saving-1-x/1")).expect("created");
    fs::create_dir_all(dir.0.join(".other")).expect("created");
    fs::write(dir.0.join(".saving-file"), "").expect("written");
    let alive = Store::open(&dir.0, None);
    let mut recording = alive.record();
    recording.add(&plan("t-1"));
    let second = Store::open(&dir.0, None);
    assert!(recording.folder().join(RECORDS).is_file());
    assert_eq!(dir.names().len(), 4, "{:?}", dir.names());
    drop((second, alive));
    assert_eq!(dir.names(), [".other", ".saving-file"]);
}

#[test]
fn damaged_folders_are_left_out() {
    let dir = Scratch::new("damaged");
    let store = Store::open(&dir.0, None);
    run(&store, &records());
    for (name, text) in [
        ("20261128T171011Z-cut", "{\"schema\":"),
        ("20261128T171012Z-empty", ""),
        ("20261128T171013Z-other", r#"{"test_id":"x","test_type":"","state":"failed","total":{}}"#),
    ] {
        fs::create_dir(dir.0.join(name)).expect("created");
        fs::write(dir.0.join(name).join(SUMMARY), text).expect("written");
    }
    fs::create_dir(dir.0.join("20261128T171014Z-none")).expect("created");
    fs::write(dir.0.join("20261128T171015Z-file"), "").expect("written");
    fs::write(dir.0.join("notes.txt"), "").expect("written");
    assert_eq!(store.list(10).len(), 1);
    assert_eq!(store.list(0).len(), 0);
    assert!(store.test("none").is_none());
    let cut = store.test("cut").expect("it has a summary");
    assert_eq!(cut.read(SERIES, 10), Err(Unread::Missing));
    assert_eq!(cut.read(SUMMARY, 3), Err(Unread::TooLarge(10)));
}

fn small(dir: &Scratch, bytes: u64) -> (Store, Arc<AtomicU64>) {
    let left = Arc::new(AtomicU64::new(bytes));
    (Store::on(Arc::new(Small { left: Arc::clone(&left) }), &dir.0, None), left)
}

#[test]
fn on_a_full_disk_the_outcome_says_what_was_not_saved() {
    let dir = Scratch::new("full");
    let (store, _) = small(&dir, 10);
    let outcome = run(&store, &records());
    assert_eq!(outcome.folder, None);
    let text = &outcome.problems[0];
    assert!(
        text.starts_with("test \"t-1\" was not saved in ") && text.contains("no storage space"),
        "{text}"
    );
    drop(store);
    assert_eq!(dir.names(), Vec::<String>::new());
}

#[test]
fn records_make_room_for_the_result() {
    let dir = Scratch::new("room");
    let (store, left) = small(&dir, 1 << 20);
    let mut recording = store.record();
    records().iter().for_each(|record| recording.add(record));
    let many = vec![b' '; 200 << 10];
    recording.add(&record(Topic::Heartbeat, 6, &many));
    // Full while it records: what was written is removed, and the rest has room.
    left.store(0, Ordering::SeqCst);
    recording.add(&record(Topic::Heartbeat, 7, &many));
    assert!(recording.has_failed());
    left.store(100 << 10, Ordering::SeqCst);
    let outcome = store.save(saved("t-1", AT_MS), Some(recording));
    assert_eq!(outcome.folder, Some(dir.0.join(NAME)));
    assert_eq!(outcome.problems.len(), 1, "{:?}", outcome.problems);
    assert!(outcome.problems[0].starts_with("records.jsonl was not saved: no storage space"));
    assert_eq!(names(&dir.0.join(NAME)).len(), FILES.len() - 1);
}

/// Writes to the device on which no space is left.
struct DevFull;

impl Disk for DevFull {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        let is_records = path.ends_with(RECORDS) || path.ends_with(INTERVALS);
        let path = if is_records { Path::new("/dev/full") } else { path };
        Ok(Box::new(fs::File::options().write(true).create(!is_records).truncate(false).open(path)?))
    }
}

#[test]
fn real_errors_of_a_full_device_are_reported_for_each_file() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let dir = Scratch::new("device");
    let store = Store::on(Arc::new(DevFull), &dir.0, None);
    let outcome = run(&store, &records());
    assert_eq!(outcome.folder, Some(dir.0.join(NAME)));
    let expected = ["latency.hlog", "records.jsonl"]
        .map(|name| format!("{name} was not saved: No space left on device (os error 28)"));
    assert_eq!(outcome.problems, expected);
}

#[test]
fn a_store_that_cannot_be_written_fails_nothing_but_the_saving() {
    let dir = Scratch::new("file");
    let path = dir.0.join("not-a-folder");
    fs::write(&path, "").expect("written");
    let store = Store::open(&path, Some(Keep::Newest(1)));
    assert_eq!((store.list(5), store.test("t-1")), (Vec::new(), None));
    let outcome = run(&store, &records());
    assert!(outcome.folder.is_none() && outcome.problems[0].contains("not-a-folder"), "{outcome:?}");
}

#[test]
fn a_foreign_id_is_refused_and_leaves_nothing() {
    let dir = Scratch::new("id");
    let store = Store::open(&dir.0, None);
    let outcome = store.save(saved("../x", AT_MS), None);
    assert!(outcome.folder.is_none() && outcome.problems[0].contains("file name"), "{outcome:?}");
    let outcome = store.save(saved("t-1", AT_MS), None);
    assert_eq!(outcome.problems, ["records.jsonl was not saved: the records of the test were not read"]);
    drop(store);
    assert_eq!(dir.names(), [NAME]);
}

#[test]
fn old_tests_are_removed_by_count_or_age() {
    let dir = Scratch::new("prune");
    let fill = |store: &Store| {
        for n in 0..4 {
            let at_ms = AT_MS + f64::from(n) * 86_400_000.0;
            store.save(saved(&format!("t{n}"), at_ms), None);
        }
    };
    let store = Store::open(&dir.0, None);
    fill(&store);
    fs::create_dir(dir.0.join("20200101T000000Z-no-result")).expect("created");
    fs::write(dir.0.join("old.txt"), "").expect("written");
    drop(store);
    let ids = |store: &Store| store.list(9).into_iter().map(|row| row.test_id).collect::<Vec<_>>();
    let mut store = Store::open(&dir.0, Some(Keep::Newest(3)));
    assert_eq!(ids(&store), ["t3", "t2", "t1"]);
    store.keep = Some(Keep::Within(Duration::from_secs(86_400)));
    store.prune(AT_MS + 3.5 * 86_400_000.0, None);
    assert_eq!(ids(&store), ["t3"]);
    drop(store);
    assert_eq!(dir.names(), ["20200101T000000Z-no-result", "20261201T171010Z-t3", "old.txt"]);
}

#[test]
fn a_test_that_was_just_saved_is_kept_however_long_ago_it_began() {
    for keep in [Keep::Newest(1), Keep::Within(Duration::from_secs(600))] {
        let dir = Scratch::new("just-saved");
        let store = Store::open(&dir.0, Some(keep));
        let newer = store.save(saved("newer", clock::wall_ms(clock::now_ns())), None);
        assert_eq!(run(&store, &records()), whole(&dir));
        assert!(store.test("t-1").is_some() && store.test("newer").is_some(), "{keep}");
        // The next one that is saved makes it an old one.
        store.save(saved("newest", clock::wall_ms(clock::now_ns()) + 1_000.0), None);
        assert!(store.test("t-1").is_none() && newer.folder.is_some(), "{keep}");
    }
}

#[test]
fn the_recorder_saves_on_its_own_thread() {
    let dir = Scratch::new("recorder");
    let store = Arc::new(Store::open(&dir.0, None));
    let recorder = Recorder::start(Arc::clone(&store)).expect("starts");
    records().iter().for_each(|record| recorder.record("t-1", record));
    recorder.record("t-2", &plan("t-2"));
    recorder.save(saved("t-1", AT_MS));
    // A late heartbeat begins no new recording.
    recorder.record("t-1", &record(Topic::Heartbeat, 99, b"{}"));
    let deadline_ns = clock::deadline(Duration::from_secs(30));
    while recorder.outcome("t-1").is_none() && clock::now_ns() < deadline_ns {
        clock::sleep(Duration::from_millis(5));
    }
    assert_eq!(recorder.outcome("t-1"), Some(whole(&dir)));
    assert_eq!(recorder.outcome("t-2"), None);
    drop((recorder, store));
    assert_eq!(dir.names(), [NAME]);
}

#[test]
fn a_store_that_was_deleted_is_created_again() {
    let dir = Scratch::new("deleted");
    let path = dir.0.join("store");
    let store = Store::open(&path, None);
    fs::remove_dir_all(&path).expect("removed");
    assert!(store.temporary().expect("a folder").starts_with(&path));
    assert!(path.is_dir());
}
