//! The OpenAPI 3.1 document: made from the handlers, committed beside this file as `openapi.json`.

use super::routes;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
};

#[derive(OpenApi)]
#[openapi(
    info(title = "Admiral", description = "An Ansible-compatible orchestrator."),
    modifiers(&Security),
    security(("session" = []), ("token" = []))
)]
pub(super) struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(super::extract::SESSION_COOKIE))),
        );
        components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}

/// The document as pretty JSON with a newline at its end.
pub fn openapi_document() -> String {
    let mut text = routes::router().to_openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
