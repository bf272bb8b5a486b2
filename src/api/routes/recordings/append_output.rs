//! `PUT /api/recordings/{id}/output`.

use super::{BytesPlace, RecordingProgress};
use crate::{
    api::{
        AppState,
        extract::{Actor, Path, Query, RawBody},
        problem::Problem,
    },
    auth::policy::Action,
    domain::DeploymentId,
    ingest::recording::{MAX_OUTPUT_BYTES, Piece},
};
use axum::{
    Json,
    extract::{DefaultBodyLimit, State},
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// Says itself how large its bodies may be.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(append_recording_output))
        .layer(DefaultBodyLimit::max(MAX_OUTPUT_BYTES))
}

/// Stores what the terminal of a recording showed. A last line without an end is stored with its end, or as `last`.
#[utoipa::path(
    put, path = "/api/recordings/{id}/output", tag = "recordings",
    params(("id" = uuid::Uuid, Path, description = "The recording's id"), BytesPlace),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "At most 1 MiB"),
    extensions(("x-permission" = json!(Action::Record))),
    responses(
        (status = 200, body = RecordingProgress),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Somebody else's recording", body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Bytes are missing before these (`offset_gap`; `wanted` says from where), or it has ended (`recording_ended`)",
            body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn append_recording_output(
    actor: Actor,
    State(state): State<AppState>,
    Path(id): Path<DeploymentId>,
    Query(place): Query<BytesPlace>,
    body: RawBody,
) -> Result<Json<RecordingProgress>, Problem> {
    let bytes = body.read().await?;
    Ok(Json(
        super::store(&state, &actor, id, Piece::Output(&bytes), place).await?,
    ))
}
