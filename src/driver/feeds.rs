//! The feeds of a plan on this driver: finding their files, reading them, and which rows are its own.

use super::session::Assignment;
use crate::feed::{Format, Loaded, Supplied, Supply, Table, Wanted};
use crate::http::values::{Origin, Values};
use crate::message::FeedSpec;
use crate::plan::Plan;
use crate::plan::feeds::{Feed, is_plain};
use crate::plan::request::Request;
use crate::schedule::Schedule;
use crate::template::{Column, Slot};
use crate::threads::StopFlag;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
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

    fn slot(&self, column: &Column) -> Option<Slot> {
        let feed = self.names.iter().position(|name| *name == column.feed)?;
        let is_same = |one: &Wanted| one.column == column.column && one.filter == column.filter;
        let index = self.wanted[feed].iter().position(is_same)?;
        Some(Slot { feed: u16::try_from(feed).ok()?, column: u16::try_from(index).ok()? })
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
            let loaded = read(spec.format, file, wanted, stop).map_err(in_file)?;
            (loaded, place)
        }
    };
    let Loaded { table, sha256 } = loaded;
    if !sha256.eq_ignore_ascii_case(&spec.sha256) {
        return Err(format!(
            "{place} has the SHA-256 {sha256}, but the plan means a file with {}: copy the same file to every \
             driver",
            crate::units::clip(&spec.sha256, 64)
        ));
    }
    if table.rows() != spec.count {
        return Err(format!("{place} has {} rows, but the plan says {}", table.rows(), spec.count));
    }
    log::info!("feed {}: {} rows, {} bytes in memory", spec.name, table.rows(), table.memory());
    Ok(table)
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
