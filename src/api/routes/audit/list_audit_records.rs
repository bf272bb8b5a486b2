//! `GET /api/audit`.

use crate::{
    api::{
        AppState,
        extract::{Query, page},
        page::Page,
        problem::Problem,
    },
    auth::policy::Action,
    domain::audit::{AuditOutcome, AuditRecord},
    store::audit::{self, AuditFilter},
};
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which records.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListAuditRecords {
    /// Counted from 1.
    page: Option<i64>,
    /// 1 to 500; 50 when not said.
    per_page: Option<i64>,
    /// Part of the actor's name, the action, the object's id or the address.
    search: Option<String>,
    /// Exactly this action, such as `server.create`.
    action: Option<String>,
    /// Exactly this outcome.
    outcome: Option<AuditOutcome>,
}

/// Lists who did what, newest first.
#[utoipa::path(
    get, path = "/api/audit", tag = "audit", params(ListAuditRecords),
    extensions(("x-permission" = json!(Action::ReadAudit))),
    responses((status = 200, body = Page<AuditRecord>), (status = 403, description = "Neither admin nor auditor", body = Problem))
)]
pub(super) async fn list_audit_records(
    State(state): State<AppState>,
    Query(query): Query<ListAuditRecords>,
) -> Result<Json<Page<AuditRecord>>, Problem> {
    let request = page(query.page, query.per_page, 500)?;
    let filter = AuditFilter {
        search: query.search,
        action: query.action,
        outcome: query.outcome,
    };
    let mut connection = state.database.acquire().await?;
    Ok(Json(Page::new(
        audit::list_records(&mut connection, &filter, request).await?,
        request,
    )))
}
