//! How many local ports are held in TIME_WAIT after their connection was closed.

/// Sockets by state in this network namespace.
const SOCKETS: &str = "/proc/net/sockstat";
/// The local ports that the kernel assigns to connections, also those over IPv6.
const PORT_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Sockets in TIME_WAIT per local port available for connections; `None` if unknown. The more there are, the
/// longer `connect` searches for a free port.
pub fn waiting_share() -> Option<f64> {
    let waiting = parse(&std::fs::read_to_string(SOCKETS).ok()?)?;
    let (first, last) = port_range()?;
    Some(waiting as f64 / (f64::from(last) - f64::from(first) + 1.0))
}

/// The first and the last local port that the kernel assigns to connections; `None` if it is unknown.
pub fn port_range() -> Option<(u16, u16)> {
    parse_range(&std::fs::read_to_string(PORT_RANGE).ok()?)
}

fn parse_range(text: &str) -> Option<(u16, u16)> {
    let mut words = text.split_whitespace().map(str::parse);
    let (first, last) = (words.next()?.ok()?, words.next()?.ok()?);
    (first <= last).then_some((first, last))
}

/// `TCP: inuse 5 orphan 0 tw 14116 alloc 7 mem 1`
fn parse(text: &str) -> Option<u64> {
    let mut words = text.lines().find_map(|line| line.strip_prefix("TCP:"))?.split_ascii_whitespace();
    words.find(|word| *word == "tw")?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_two_ascending_ports() {
        assert_eq!(parse_range("7 7"), Some((7, 7)));
        for bad in ["", "5", "9 8", "1 70000", "a b"] {
            assert_eq!(parse_range(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn sockets_in_time_wait_are_parsed() {
        let text = "sockets: used 83\nTCP: inuse 5 orphan 0 tw 14116 alloc 7 mem 1\nUDP: inuse 1 mem 0\n";
        assert_eq!(parse(text), Some(14_116));
        for odd in ["", "TCP: inuse 5", "TCP: tw", "TCP: tw many", "UDP: tw 5"] {
            assert_eq!(parse(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn the_share_is_relative_to_all_ports() {
        if let Some(share) = waiting_share() {
            assert!((0.0..100.0).contains(&share), "{share}");
        }
    }
}
