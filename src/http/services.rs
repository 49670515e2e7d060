//! The verbs, as the handlers reach them.

use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;

use crate::auth::{AdminToken, Users};
use crate::domain::code::CodeKeys;
use crate::observe::Observer;
use crate::prepare::Preparer;
use crate::settle::Settler;

/// Handles to the verbs, for both listeners.
#[derive(Clone)]
pub struct Services {
    /// Coupons and their changes.
    pub preparer: Preparer,
    /// Tickets after they were issued.
    pub settler: Settler,
    /// What is true right now.
    pub observer: Observer,
    /// Who users are.
    pub users: Arc<Users>,
    /// Who admins are.
    pub admin_token: AdminToken,
    /// The code keys that this server has.
    pub keys: Arc<CodeKeys>,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
}
