//! The services that the handlers call.

use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;

use crate::auth::{AdminToken, Users};
use crate::observe::Observer;
use crate::prepare::Preparer;
use crate::settle::Settler;

/// Handles to the verbs, for both listeners.
#[derive(Clone)]
pub struct Services {
    pub preparer: Preparer,
    pub settler: Settler,
    pub observer: Observer,
    pub users: Arc<Users>,
    pub admin_token: AdminToken,
    pub metrics: PrometheusHandle,
}
