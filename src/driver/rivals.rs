//! Other processes that register under this driver's name. Pure.
//!
//! The newest process with a name is in the fleet. An older one that sees it register registers again, once,
//! so that the newer one and the orchestrator learn that both are alive.

use crate::message::{NodeRef, Register};
use std::collections::BTreeSet;

/// Maximum number of other processes that are handled; any further ones are ignored.
const MAX_TOLD: usize = 16;
/// Maximum length of a logged address, in characters.
const MAX_ADDRESS_CHARS: usize = 100;

/// Another process with this driver's name.
#[derive(Debug, PartialEq, Eq)]
pub enum Rival {
    /// A newer process, which replaces this one: log this warning and register again.
    Newer(String),
    /// An older process is alive: log this warning.
    Older(String),
}

/// The other processes with this driver's name.
#[derive(Debug)]
pub struct Rivals {
    own: NodeRef,
    told: BTreeSet<u64>,
}

impl Rivals {
    /// None yet.
    pub fn new(own: NodeRef) -> Rivals {
        Rivals { own, told: BTreeSet::new() }
    }

    /// Handles a registration; returns `Some` once for each other process with the same name.
    pub fn registered(&mut self, message: &Register) -> Option<Rival> {
        let epoch = message.epoch.filter(|epoch| *epoch != self.own.epoch)?;
        if message.node_id != self.own.node_id || self.told.len() >= MAX_TOLD || !self.told.insert(epoch) {
            return None;
        }
        let address: String = message.node_ip.chars().take(MAX_ADDRESS_CHARS).collect();
        let name = &self.own.node_id;
        let both = format!("another process ({address:?}) is running as driver {name:?}");
        Some(if epoch > self.own.epoch {
            Rival::Newer(format!(
                "{both}: it is newer and is in the fleet now; this one gets no plans until the other one \
                 exits; change the --node-id of one of them"
            ))
        } else {
            Rival::Older(format!(
                "{both}: this one is newer and is in the fleet; the other one gets no plans until this one \
                 exits; change the --node-id of one of them"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::decode;

    fn register(node_id: &str, epoch: u64) -> Register {
        let text = format!(r#"{{"node_id":"{node_id}","node_IP":"10.0.0.{epoch}","epoch":{epoch}}}"#);
        decode(text.as_bytes()).expect("a registration")
    }

    #[test]
    fn each_other_process_with_the_name_is_reported_once() {
        let mut rivals = Rivals::new(NodeRef { node_id: "a".to_owned(), epoch: 5 });
        assert_eq!(rivals.registered(&register("a", 5)), None, "its own");
        assert_eq!(rivals.registered(&register("b", 6)), None);
        let Some(Rival::Newer(text)) = rivals.registered(&register("a", 6)) else { panic!("newer") };
        assert!(
            text.contains("\"10.0.0.6\"") && text.contains("it is newer and is in the fleet now"),
            "{text}"
        );
        assert_eq!(rivals.registered(&register("a", 6)), None, "once");
        let Some(Rival::Older(text)) = rivals.registered(&register("a", 4)) else { panic!("older") };
        assert!(text.contains("this one is newer and is in the fleet"), "{text}");
        (7..100).for_each(|epoch| drop(rivals.registered(&register("a", epoch))));
        assert_eq!(rivals.told.len(), MAX_TOLD);
    }
}
