//! Scheduler statistics of the calling thread.

/// Times of one thread since it started, in ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTimes {
    /// On a CPU.
    pub on_cpu_ns: u64,
    /// Runnable without a CPU: other threads used it, or a control group limit throttled this one.
    pub waited_ns: u64,
}

/// The calling thread's times; `None` if the kernel does not report them (it needs `CONFIG_SCHED_INFO`, which
/// Linux distributions set).
pub fn of_this_thread() -> Option<CpuTimes> {
    parse(&std::fs::read_to_string("/proc/thread-self/schedstat").ok()?)
}

/// Parses three numbers: ns on a CPU, ns on a run queue, number of times run.
/// Source: <https://docs.kernel.org/scheduler/sched-stats.html>, the last section.
fn parse(text: &str) -> Option<CpuTimes> {
    let mut words = text.split_ascii_whitespace().map(str::parse);
    let (on_cpu_ns, waited_ns) = (words.next()?.ok()?, words.next()?.ok()?);
    // Without accounting the kernel writes zeros, but a thread that reads this has been on a CPU.
    (on_cpu_ns > 0).then_some(CpuTimes { on_cpu_ns, waited_ns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_numbers_are_parsed_and_anything_else_is_unknown() {
        assert_eq!(parse("1418834 352101 22\n"), Some(CpuTimes { on_cpu_ns: 1_418_834, waited_ns: 352_101 }));
        for unknown in ["", "0 0 0\n", "12", "a b c", "-1 2 3", "99999999999999999999999 1 1"] {
            assert_eq!(parse(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn times_are_counted_per_thread() {
        let Some(before) = of_this_thread() else { return };
        let other = std::thread::spawn(|| {
            let until_ns = crate::clock::deadline(std::time::Duration::from_millis(30));
            while crate::clock::now_ns() < until_ns {}
            of_this_thread().expect("this thread has times too")
        });
        let other = other.join().expect("the thread ends");
        let after = of_this_thread().expect("there were times before");
        assert!(other.on_cpu_ns + other.waited_ns >= 20_000_000, "{other:?}");
        assert!(after.on_cpu_ns - before.on_cpu_ns < 20_000_000, "{before:?} {after:?}");
    }
}
