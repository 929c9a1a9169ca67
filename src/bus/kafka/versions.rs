//! Chooses the version of each request from those that the broker supports.
//!
//! Every request has a version in common with all brokers from 0.11 to 4.x; the newest common one is used.
//! Fetch stays at version 12, since version 13 identifies topics by id instead of by name.

use kafka_protocol::messages::ApiKey;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The versions a broker supports: key, lowest and highest version of each request.
pub type BrokerVersions = Vec<(i16, i16, i16)>;

/// The requests that this client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    /// Ask for the broker's supported versions.
    Versions,
    /// Ask for brokers, topics and leaders.
    Metadata,
    /// Create topics.
    CreateTopics,
    /// Append records.
    Produce,
    /// Ask for first and next offsets.
    ListOffsets,
    /// Read records.
    Fetch,
    /// Choose how to log in.
    SaslHandshake,
    /// Log in.
    SaslAuthenticate,
}

impl Api {
    /// Its key in the protocol.
    pub fn key(self) -> i16 {
        self.api_key() as i16
    }

    fn api_key(self) -> ApiKey {
        match self {
            Api::Versions => ApiKey::ApiVersions,
            Api::Metadata => ApiKey::Metadata,
            Api::CreateTopics => ApiKey::CreateTopics,
            Api::Produce => ApiKey::Produce,
            Api::ListOffsets => ApiKey::ListOffsets,
            Api::Fetch => ApiKey::Fetch,
            Api::SaslHandshake => ApiKey::SaslHandshake,
            Api::SaslAuthenticate => ApiKey::SaslAuthenticate,
        }
    }

    /// The versions that this client supports.
    pub fn ours(self) -> RangeInclusive<i16> {
        match self {
            Api::Versions => 0..=3,
            Api::Metadata => 4..=10,
            Api::CreateTopics => 2..=5,
            Api::Produce => 3..=9,
            Api::ListOffsets => 1..=6,
            Api::Fetch => 4..=12,
            // Version 0 would be followed by messages without a frame of Kafka's.
            Api::SaslHandshake => 1..=1,
            Api::SaslAuthenticate => 0..=2,
        }
    }

    /// The first version with compact lengths and tagged fields (KIP-482).
    pub fn flexible_from(self) -> i16 {
        match self {
            Api::Versions => 3,
            Api::Metadata => 9,
            Api::CreateTopics => 5,
            Api::Produce => 9,
            Api::ListOffsets => 6,
            Api::Fetch => 12,
            Api::SaslHandshake => i16::MAX,
            Api::SaslAuthenticate => 2,
        }
    }
}

/// Why a broker cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It supports only older versions.
    TooOld(Api),
    /// It no longer supports our versions.
    TooNew(Api),
}

/// The versions agreed with one broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreed(BTreeMap<Api, i16>);

impl Agreed {
    /// Picks the newest common version of each request from the broker's list of (key, lowest, highest).
    pub fn with(broker: &[(i16, i16, i16)]) -> Result<Self, Unusable> {
        let mut agreed = BTreeMap::new();
        for api in [Api::Metadata, Api::CreateTopics, Api::Produce, Api::ListOffsets, Api::Fetch] {
            let named = broker.iter().find(|(key, ..)| *key == api.key());
            let &(_, lowest, highest) = named.ok_or(Unusable::TooOld(api))?;
            let ours = api.ours();
            if highest < *ours.start() {
                return Err(Unusable::TooOld(api));
            }
            if lowest > *ours.end() {
                return Err(Unusable::TooNew(api));
            }
            agreed.insert(api, highest.min(*ours.end()));
        }
        // Only a login needs these.
        for api in [Api::SaslHandshake, Api::SaslAuthenticate] {
            let ours = api.ours();
            let common = broker.iter().find(|(key, lowest, highest)| {
                *key == api.key() && highest >= ours.start() && lowest <= ours.end()
            });
            agreed.extend(common.map(|(_, _, highest)| (api, *highest.min(ours.end()))));
        }
        Ok(Agreed(agreed))
    }

    /// Whether the broker supports the requests of a login.
    pub fn has_login(&self) -> bool {
        [Api::SaslHandshake, Api::SaslAuthenticate].iter().all(|api| self.0.contains_key(api))
    }

    /// The version to use for `api`.
    pub fn version(&self, api: Api) -> i16 {
        self.0.get(&api).copied().unwrap_or(*api.ours().start())
    }
}

/// Whether the broker is 4.0 or newer and so lacks the versions that the legacy client uses (KIP-896). It
/// still lists Produce from version 0 for other clients' sake, so Fetch is the test.
pub fn is_4_or_newer(broker: &[(i16, i16, i16)]) -> bool {
    broker.iter().any(|&(key, lowest, _)| key == Api::Fetch.key() && lowest >= 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Api; 5] = [Api::Metadata, Api::CreateTopics, Api::Produce, Api::ListOffsets, Api::Fetch];

    fn broker(ranges: [(i16, i16); 5]) -> Vec<(i16, i16, i16)> {
        ALL.iter().zip(ranges).map(|(api, (lowest, highest))| (api.key(), lowest, highest)).collect()
    }

    #[test]
    fn the_newest_common_versions_are_used() {
        let kafka_4_3 = broker([(0, 13), (2, 7), (0, 13), (1, 11), (4, 18)]);
        let agreed = Agreed::with(&kafka_4_3).unwrap();
        assert_eq!(ALL.map(|api| agreed.version(api)), [10, 5, 9, 6, 12]);
        let kafka_0_11 = broker([(0, 4), (0, 2), (0, 3), (0, 2), (0, 5)]);
        let agreed = Agreed::with(&kafka_0_11).unwrap();
        assert_eq!(ALL.map(|api| agreed.version(api)), [4, 2, 3, 2, 5]);
    }

    #[test]
    fn brokers_that_are_too_old_or_too_new_are_distinguished() {
        let kafka_0_10 = broker([(0, 2), (0, 1), (0, 2), (0, 1), (0, 3)]);
        assert_eq!(Agreed::with(&kafka_0_10), Err(Unusable::TooOld(Api::Metadata)));
        assert_eq!(Agreed::with(&[]), Err(Unusable::TooOld(Api::Metadata)));
        let far_future = broker([(0, 20), (2, 20), (3, 20), (1, 20), (13, 30)]);
        assert_eq!(Agreed::with(&far_future), Err(Unusable::TooNew(Api::Fetch)));
    }

    #[test]
    fn a_login_needs_both_requests() {
        let mut versions = broker([(0, 13), (2, 7), (0, 13), (1, 11), (4, 18)]);
        let has_login = |versions: &BrokerVersions| Agreed::with(versions).unwrap().has_login();
        versions.push((Api::SaslHandshake.key(), 0, 1));
        assert!(!has_login(&versions));
        versions.push((Api::SaslAuthenticate.key(), 0, 9));
        assert!(has_login(&versions));
        let agreed = Agreed::with(&versions).unwrap();
        assert_eq!([Api::SaslHandshake, Api::SaslAuthenticate].map(|api| agreed.version(api)), [1, 2]);
        versions[5].2 = 0;
        assert!(!has_login(&versions), "older than 1.0");
    }

    #[test]
    fn fetch_versions_reveal_a_4_x_broker() {
        assert!(is_4_or_newer(&broker([(0, 13), (2, 7), (0, 13), (1, 11), (4, 18)])));
        assert!(!is_4_or_newer(&broker([(0, 12), (0, 7), (0, 11), (0, 9), (0, 17)])));
    }

    #[test]
    fn our_versions_match_the_codec() {
        for api in [&ALL[..], &[Api::SaslHandshake, Api::SaslAuthenticate]].concat() {
            let codec = api.api_key().valid_versions();
            assert!(codec.min <= *api.ours().start() && codec.max >= *api.ours().end(), "{api:?}");
            let first_flexible =
                (codec.min..=codec.max).find(|version| api.api_key().request_header_version(*version) == 2);
            assert_eq!(first_flexible.unwrap_or(i16::MAX), api.flexible_from(), "{api:?}");
        }
    }
}
