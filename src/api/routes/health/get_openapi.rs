//! `GET /api/openapi.json`.

use crate::{api::problem::Problem, auth::policy::Action};
use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use std::sync::LazyLock;

static DOCUMENT: LazyLock<String> = LazyLock::new(crate::api::openapi_document);

/// The OpenAPI 3.1 document of this API.
#[utoipa::path(
    get, path = "/api/openapi.json", tag = "health",
    extensions(("x-permission" = json!(Action::ReadFleet))),
    responses(
        (status = 200, body = Object),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_openapi() -> Result<Response, Problem> {
    Ok(([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response())
}
