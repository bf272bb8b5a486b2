//! The audit log.

mod list_audit_records;

use crate::api::AppState;
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/api/audit`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_audit_records::list_audit_records))
}
