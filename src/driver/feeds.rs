//! The feeds of a plan on this driver: finding their files, reading them, and which rows are its own.

use super::session::Assignment;
use crate::feed::{Format, Loaded, Supplied, Supply, Table, Wanted, sha256};
use crate::http::values::{Origin, Values};
use crate::message::FeedSpec;
use crate::plan::Plan;
use crate::plan::feeds::{Feed, is_plain};
use crate::plan::request::Request;
use crate::schedule::Schedule;
use crate::template::{CellRef, Column};
use crate::threads::StopFlag;
use crate::units::clip;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the files of feeds are that a plan does not contain.
#[derive(Clone, Debug, Default)]
pub enum FeedFiles {
    /// Nowhere: only feeds in plans can be used.
    #[default]
    Nowhere,
    /// In this folder, under the names that plans use.
    Folder(PathBuf),
    /// These files, by the name of the feed.
    Files(BTreeMap<String, PathBuf>),
}

impl FeedFiles {
    fn find(&self, spec: &FeedSpec) -> Result<PathBuf, String> {
        // The name comes from the bus, and must not lead out of the folder.
        let file = spec.file.as_deref().filter(|file| is_plain(file));
        let file = file.ok_or("the plan has neither its rows nor the name of a file")?;
        match self {
            FeedFiles::Folder(folder) => Ok(folder.join(file)),
            FeedFiles::Files(files) if files.contains_key(&spec.name) => Ok(files[&spec.name].clone()),
            _ => Err(format!(
                "the plan names the file {file:?} and does not contain it: start this driver with --feeds DIR, \
                 where DIR has this file"
            )),
        }
    }
}

/// The feeds of a plan, read.
pub struct Feeds {
    /// In the order of the plan; `None` if no request uses it.
    tables: Vec<Option<Arc<Table>>>,
    wanted: Vec<Vec<Wanted>>,
    names: Vec<String>,
}

impl Feeds {
    /// Reads the columns that the requests use.
    ///
    /// # Errors
    /// A file that is missing, is not the one that the plan means, or has values that requests cannot have.
    pub fn load(plan: &Plan, files: &FeedFiles, stop: &StopFlag) -> Result<Feeds, String> {
        let names: Vec<String> = plan.feeds().iter().map(|feed| feed.spec.name.clone()).collect();
        let wanted: Vec<_> = names.iter().map(|name| wanted(plan, name)).collect();
        let tables = plan.feeds().iter().zip(&wanted).map(|(feed, wanted)| {
            let table = (!feed.used_by.is_empty()).then(|| table(feed, wanted, files, stop));
            let in_feed = |why| format!("feed {}: {why}", feed.spec.name);
            table.transpose().map(|table| table.map(Arc::new)).map_err(in_feed)
        });
        Ok(Feeds { tables: tables.collect::<Result<_, _>>()?, wanted, names })
    }

    /// The values of the requests to one URL, the `side`-th of `sides`; `None` if they do not vary.
    ///
    /// # Errors
    /// A node id that cannot stand where a template puts it.
    pub fn values(
        &self,
        assignment: &Assignment,
        requests: &[Request],
        (side, sides): (u64, u64),
    ) -> Result<Option<Arc<Values>>, String> {
        let plan = &assignment.plan;
        let share = Schedule::new(plan).share(assignment.part, assignment.parts).side(side, sides);
        let supplied = self.tables.iter().enumerate().map(|(index, table)| {
            let draws = share.draws(plan, index)?;
            let table = table.clone().unwrap_or_default();
            Some(Supplied { table, rows: draws.rows, uses: draws.uses, warmups: draws.warmups })
        });
        let origin = Origin {
            seed: plan.seed(),
            driver: assignment.node_id.clone(),
            supply: Supply::new(supplied.flatten().collect()),
            part: share.fleet_ticket(0),
            parts: share.fleet_ticket(1) - share.fleet_ticket(0),
        };
        Values::new(requests, origin, &|column| self.slot(column))
    }

    fn slot(&self, column: &Column) -> Option<CellRef> {
        let feed = self.names.iter().position(|name| *name == column.feed)?;
        let is_same = |one: &Wanted| one.column == column.column && one.filter == column.filter;
        let index = self.wanted[feed].iter().position(is_same)?;
        Some(CellRef { feed: u16::try_from(feed).ok()?, column: u16::try_from(index).ok()? })
    }
}

/// The columns of a feed that the requests use, each once per filter.
fn wanted(plan: &Plan, feed: &str) -> Vec<Wanted> {
    let mut wanted: Vec<Wanted> = Vec::new();
    for templates in plan.sent().list().iter().filter_map(Request::templates) {
        for (_, place, template) in templates.parts() {
            for column in template.columns().filter(|column| column.feed == feed) {
                let is_same = |one: &&mut Wanted| one.column == column.column && one.filter == column.filter;
                match wanted.iter_mut().find(is_same) {
                    Some(one) => drop(one.places.insert(place)),
                    None => wanted.push(Wanted {
                        column: column.column.clone(),
                        filter: column.filter,
                        places: [place].into(),
                    }),
                }
            }
        }
    }
    wanted
}

fn table(feed: &Feed, wanted: &[Wanted], files: &FeedFiles, stop: &StopFlag) -> Result<Table, String> {
    let spec = &feed.spec;
    let (loaded, place) = match &spec.data {
        Some(data) => (Table::read(spec.format, data.as_bytes(), wanted)?, "its text in the plan".to_owned()),
        None => {
            let path = files.find(spec)?;
            let place = path.display().to_string();
            let in_file = |why: String| format!("{place}: {why}");
            let file = File::open(&path).map_err(|error| in_file(format!("cannot be opened: {error}")))?;
            // Another file is the first thing to know, and its content is nothing to repeat.
            let loaded =
                read(spec.format, file, wanted, stop).map_err(|why| match sha256_of(&path, stop) {
                    Ok(other) if !other.eq_ignore_ascii_case(&spec.sha256) => {
                        other_file(&place, &other, spec)
                    }
                    _ => in_file(why),
                })?;
            (loaded, place)
        }
    };
    let Loaded { table, sha256 } = loaded;
    if !sha256.eq_ignore_ascii_case(&spec.sha256) {
        return Err(other_file(&place, &sha256, spec));
    }
    if table.rows() != spec.count {
        return Err(format!("{place} has {} rows, but the plan says {}", table.rows(), spec.count));
    }
    log::info!("feed {}: {} rows, {} bytes in memory", spec.name, table.rows(), table.memory());
    Ok(table)
}

fn other_file(place: &str, sha256: &str, spec: &FeedSpec) -> String {
    format!(
        "{place} has the SHA-256 {sha256}, but the plan means a file with {}: copy the same file to every driver",
        clip(&spec.sha256, 64)
    )
}

fn sha256_of(path: &Path, stop: &StopFlag) -> io::Result<String> {
    sha256(Stoppable { inner: File::open(path)?, stop })
}

fn read(format: Format, file: File, wanted: &[Wanted], stop: &StopFlag) -> Result<Loaded, String> {
    Table::read(format, Stoppable { inner: file, stop }, wanted)
}

/// A file that is no longer read once the test is stopped.
struct Stoppable<'a> {
    inner: File,
    stop: &'a StopFlag,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_stopped() {
            return Err(io::Error::other("reading was stopped"));
        }
        self.inner.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::survey;
    use crate::message::{TestConfig, TestType};

    const USERS: &str = "id,term\n1,red shoes\n2,socks\n";

    fn spec() -> FeedSpec {
        let found = survey(Format::Csv, USERS.as_bytes()).expect("a feed");
        FeedSpec {
            name: "users".to_owned(),
            columns: found.columns,
            count: found.count,
            sha256: found.sha256,
            file: Some("users.csv".to_owned()),
            ..FeedSpec::default()
        }
    }

    fn plan(spec: FeedSpec, url: &str) -> Plan {
        let mut config = TestConfig::new("t", TestType::Avalanche);
        (config.target_url, config.seed, config.feeds) = (Some(url.to_owned()), Some(1), vec![spec]);
        Plan::as_written(&config).expect("a plan")
    }

    /// The error with the files of this folder, which `change` may change.
    fn error(name: &str, spec: FeedSpec, url: &str, content: &str) -> String {
        let folder = std::env::temp_dir().join(format!("floodgate-feeds-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("creates");
        std::fs::write(folder.join("users.csv"), content).expect("writes");
        let files = FeedFiles::Folder(folder.clone());
        let loaded = Feeds::load(&plan(spec, url), &files, &StopFlag::default());
        std::fs::remove_dir_all(&folder).expect("removes");
        let error = loaded.err().unwrap_or_default();
        error.replace(&format!("{}/", folder.display()), "")
    }

    const URL: &str = "http://h/{{users.term|url}}";

    #[test]
    fn a_driver_refuses_another_file_and_names_both_hashes() {
        assert_eq!(error("same", spec(), URL, USERS), "");
        let other = error("other", spec(), URL, "id,term\n1,boots\n2,socks\n");
        assert!(other.starts_with("feed users: users.csv has the SHA-256 "), "{other}");
        assert!(other.contains(&format!("the plan means a file with {}", spec().sha256)), "{other}");
        let headless = error("headless", spec(), URL, "alice,swordfish\n1,boots\n");
        assert!(headless.contains("but the plan means a file with"), "{headless}");
        assert!(!headless.contains("swordfish"), "{headless}");
        let unescaped = error("plain", spec(), "http://h/{{users.term}}", USERS);
        let why = "feed users: users.csv: line 2: term contains a space, which a URL cannot contain: add";
        assert!(unescaped.starts_with(why), "{unescaped}");
        let count = error("count", FeedSpec { count: 3, ..spec() }, URL, USERS);
        assert_eq!(count, "feed users: users.csv has 2 rows, but the plan says 3");
    }

    #[test]
    fn a_missing_file_says_how_to_provide_it() {
        let load = |spec, files| Feeds::load(&plan(spec, URL), &files, &StopFlag::default()).err();
        let error = load(spec(), FeedFiles::Nowhere).expect("no file");
        assert!(error.contains("\"users.csv\"") && error.contains("--feeds DIR"), "{error}");
        let error = load(spec(), FeedFiles::Folder("/no/such".into())).expect("no folder");
        assert!(error.starts_with("feed users: /no/such/users.csv: cannot be opened"), "{error}");
        let inline = FeedSpec { data: Some(USERS.to_owned()), file: None, ..spec() };
        assert_eq!(load(inline, FeedFiles::Nowhere), None);
        let error = load(FeedSpec { file: None, ..spec() }, FeedFiles::Nowhere).expect("no rows");
        assert!(error.contains("neither its rows nor the name of a file"), "{error}");
    }

    #[test]
    fn a_stopped_test_stops_reading() {
        let stop = StopFlag::default();
        stop.stop();
        let file = File::open(std::env::current_exe().expect("a path")).expect("a file");
        let error = Stoppable { inner: file, stop: &stop }.read(&mut [0; 9]).expect_err("stopped");
        assert_eq!(error.to_string(), "reading was stopped");
    }
}
