//! Process limits.

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;

/// Descriptors reserved for things other than load connections: files, the bus, listeners, epoll.
pub const RESERVED_DESCRIPTORS: u64 = 64;

/// The hard limit on file descriptors of this process; `None` if unlimited.
pub fn max_descriptors() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// Ensures that the process may open `needed` descriptors, raising its soft limit up to the hard limit.
///
/// # Errors
/// A text with the numbers, if the hard limit is lower or the limit cannot be raised.
pub fn ensure_descriptors(needed: u64) -> Result<(), String> {
    let limit = getrlimit(Resource::Nofile);
    // `None` means unlimited.
    if limit.current.is_none_or(|soft| soft >= needed) {
        return Ok(());
    }
    if let Some(hard) = limit.maximum.filter(|hard| *hard < needed) {
        // A limit that has no room for a single connection can only be raised.
        let fewer = if hard > RESERVED_DESCRIPTORS { "use fewer connections, or " } else { "" };
        return Err(format!(
            "{needed} open files are needed ({RESERVED_DESCRIPTORS} of them not for connections), and the hard \
             limit is {hard}: {fewer}raise the limit (ulimit -Hn, LimitNOFILE= of systemd)"
        ));
    }
    let raised = Rlimit { current: Some(needed), maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised)
        .map_err(|e| format!("cannot raise the limit of open files to {needed}: {e}; use fewer connections"))
}

/// The error, and what to do if this process may open no more files.
pub fn explain(error: &io::Error) -> String {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE) => format!("{error}: raise the limit of open files (ulimit -n)"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lack_of_descriptors_names_their_limit() {
        let text = |errno: Errno| explain(&errno.into());
        assert!(text(Errno::MFILE).ends_with("(os error 24): raise the limit of open files (ulimit -n)"));
        assert!(!text(Errno::ACCESS).contains("ulimit"), "{}", text(Errno::ACCESS));
    }

    #[test]
    fn a_small_need_is_met_and_an_absurd_one_is_refused_with_numbers() {
        assert_eq!(ensure_descriptors(16), Ok(()));
        if let Some(hard) = getrlimit(Resource::Nofile).maximum {
            let text = ensure_descriptors(hard + 1).unwrap_err();
            assert!(text.contains(&(hard + 1).to_string()) && text.contains(&hard.to_string()), "{text}");
        }
    }

    #[test]
    fn the_soft_limit_rises_as_far_as_needed() {
        let before = getrlimit(Resource::Nofile);
        let (Some(soft), hard) = (before.current, before.maximum) else { return };
        if hard.is_none_or(|hard| hard > soft) {
            assert_eq!(ensure_descriptors(soft + 1), Ok(()));
            assert!(getrlimit(Resource::Nofile).current.is_some_and(|now| now > soft));
        }
    }
}
