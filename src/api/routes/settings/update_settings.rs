//! `PATCH /api/settings`.

use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody, present},
        problem::Problem,
    },
    auth::policy::Action,
    domain::settings::Settings,
    store::{StoreError, settings},
};
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::ToSchema;

/// Changes to the settings; what is not there stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::option_option,
    reason = "null takes a value away, a field that is not there leaves it"
)]
pub struct UpdateSettings {
    /// Events and output are removed after so many days, 1 to 36500; 0 keeps them for ever.
    retention_days: Option<u32>,
    /// Most runs at a time, of all workers together, 1 to 10000; null takes the limit away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>)]
    max_running_runs: Option<Option<u32>>,
}

/// Changes what holds for the whole installation. Running processes follow within ten minutes, new runs at once.
#[utoipa::path(
    patch, path = "/api/settings", tag = "settings", request_body = UpdateSettings,
    extensions(("x-permission" = json!(Action::ChangeSettings))),
    responses(
        (status = 200, body = Settings),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn update_settings(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(body): JsonBody<UpdateSettings>,
) -> Result<Json<Settings>, Problem> {
    let mut transaction = state.database.begin().await?;
    let before = settings::lock_settings(&mut transaction).await?;
    let after = Settings {
        retention_days: body.retention_days.unwrap_or(before.retention_days),
        max_running_runs: body.max_running_runs.unwrap_or(before.max_running_runs),
    };
    after.validate()?;
    if after == before {
        return Ok(Json(before));
    }
    settings::update_settings(&mut transaction, &after).await?;
    actor
        .record(
            &mut transaction,
            actor.entry("settings.update").before(&before).after(&after),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(Json(after))
}
