//! The store: finished tests as folders of files, and the records of the running one.

pub mod disk;
pub mod formats;
pub mod lines;
pub mod names;
pub mod workspace;
