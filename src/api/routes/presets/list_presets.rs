//! `GET /api/presets`.

use super::PlaybookQuery;
use crate::{
    api::{AppState, extract::Query, problem::Problem},
    auth::policy::Action,
    domain::variable_set::Preset,
    store::presets,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Presets.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PresetList {
    /// By playbook and name.
    pub data: Vec<Preset>,
}

/// Lists the presets of a playbook, or of all.
#[utoipa::path(
    get, path = "/api/presets", tag = "presets", params(PlaybookQuery),
    extensions(("x-permission" = json!(Action::ReadPlaybooks))),
    responses((status = 200, body = PresetList))
)]
pub(super) async fn list_presets(
    State(state): State<AppState>,
    Query(query): Query<PlaybookQuery>,
) -> Result<Json<PresetList>, Problem> {
    let playbook = query.id()?;
    let mut connection = state.database.acquire().await?;
    let data = presets::list_presets(&mut connection, playbook.as_ref()).await?;
    Ok(Json(PresetList { data }))
}
