//! The playbook library.

mod get_playbook_content;
mod get_playbook_form;
mod list_playbooks;

pub use get_playbook_content::PlaybookContent;
pub use get_playbook_form::PlaybookForm;
pub use list_playbooks::PlaybookList;

use crate::api::AppState;
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/api/playbooks…`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_playbooks::list_playbooks))
        .routes(routes!(get_playbook_content::get_playbook_content))
        .routes(routes!(get_playbook_form::get_playbook_form))
}
