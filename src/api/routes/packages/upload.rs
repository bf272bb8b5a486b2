//! What both endpoints for uploads do: take a file as the body, and read it.

use super::{create_package, inspect_package};
use crate::{
    api::{AppState, extract::RawBody, problem::Problem},
    domain::validation::Invalid,
    playbooks::{Snapshot, archive},
};
use axum::{extract::DefaultBodyLimit, http::StatusCode};
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Uploads that are inflated at the same time: each may take as much memory as its limit, twice.
static TURNS: Semaphore = Semaphore::const_new(2);

/// The endpoints, which take larger bodies than others.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_package::create_package))
        .routes(routes!(inspect_package::inspect_package))
        .layer(DefaultBodyLimit::max(archive::MAX_UPLOAD_BYTES))
}

/// A playbook (`.yml`, `.yaml`) or an archive (`.zip`, `.tar.gz`, `.tgz`, `.tar`), at most 64 MiB.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "only described: the handlers read the body themselves")]
pub struct UploadedFile(Vec<u8>);

/// Reads the body, and what is in it.
pub(super) async fn read(file_name: &str, body: RawBody) -> Result<Snapshot, Problem> {
    if file_name.is_empty() {
        return Err(Invalid::field("file_name", "is required: it tells what the file is").into());
    }
    let bytes = body.read().await.map_err(|problem| {
        if problem.status == StatusCode::PAYLOAD_TOO_LARGE.as_u16() {
            return Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "payload_too_large",
                "the upload is larger than 64 MiB",
            );
        }
        problem
    })?;
    // The semaphore is never closed.
    let _turn = TURNS.acquire().await.map_err(|error| Problem::internal(&error))?;
    let file_name = file_name.to_owned();
    tokio::task::spawn_blocking(move || archive::read(&file_name, &bytes).map(Snapshot::new))
        .await
        .map_err(|error| Problem::internal(&error))?
        .map_err(|error| Invalid::field("file", error.to_string()).into())
}
