//! The half of a modern handle that publishes and queries: a cluster, with retries.

use super::cluster::Cluster;
use super::context::Context;
use super::retry::{self, Retry};
use crate::bus::BusError;
use crate::clock::SystemClock;
use std::sync::Arc;

/// One cluster and the retries of its requests.
pub struct Writer {
    cluster: Cluster,
    retry: Retry,
}

impl Writer {
    /// Connects on demand.
    pub fn new(shared: Arc<Context>) -> Self {
        let retry = Retry::new(shared.describe());
        Writer { cluster: Cluster::new(shared), retry }
    }

    /// Retries until it succeeds, fails permanently or the deadline passes. After a fault of the cluster, the
    /// leaders are asked for again. A refused login or certificate is permanent, unless the client was let in
    /// before: then passwords or certificates are being replaced.
    pub fn attempt<T>(
        &mut self,
        deadline_ns: u64,
        mut once: impl FnMut(&mut Cluster, u64) -> Result<T, BusError>,
    ) -> Result<T, BusError> {
        let Writer { cluster, retry } = self;
        retry.attempt(&SystemClock, deadline_ns, |attempt_ns| {
            let result = once(cluster, attempt_ns);
            if result.as_ref().is_err_and(retry::is_fault) && !cluster.is_throttled() {
                cluster.distrust();
            }
            result.map_err(|error| match error {
                BusError::Denied(text) if cluster.shared().was_let_in() => BusError::Unavailable(text),
                other => other,
            })
        })
    }
}
