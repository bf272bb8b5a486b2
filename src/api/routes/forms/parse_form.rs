//! `POST /api/forms/parse`.

use crate::{
    api::{extract::JsonBody, problem::Problem},
    auth::policy::Action,
    domain::{finding::Finding, form::Form},
    playbooks::form,
};
use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What findings call a text that is in no file.
const UNSAVED: &str = "form.yml";

/// The text of a form's file.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ParseForm {
    /// YAML.
    text: String,
}

/// What the text says.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ParsedForm {
    /// Null when the text has faults.
    pub form: Option<Form>,
    /// The faults.
    pub errors: Vec<Finding>,
}

/// Reads a form as it is written; saves nothing.
#[utoipa::path(
    post, path = "/api/forms/parse", tag = "forms", request_body = ParseForm,
    extensions(("x-permission" = json!(Action::ReadPlaybooks))),
    responses((status = 200, body = ParsedForm), (status = 403, description = "Not allowed", body = Problem))
)]
pub(super) async fn parse_form(JsonBody(body): JsonBody<ParseForm>) -> Result<Json<ParsedForm>, Problem> {
    Ok(Json(match form::parse(UNSAVED, &body.text) {
        Ok(form) => ParsedForm {
            form: Some(form),
            errors: Vec::new(),
        },
        Err(errors) => ParsedForm { form: None, errors },
    }))
}
