//! Presets: named variables and options of a playbook. Secret values are never sent again.

mod create_preset;
mod delete_preset;
mod list_presets;
mod update_preset;

pub use create_preset::CreatePreset;
pub use list_presets::PresetList;
pub use update_preset::UpdatePreset;

use crate::{
    api::AppState,
    domain::{playbook::PlaybookId, validation::Invalid},
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/api/presets`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_presets::list_presets, create_preset::create_preset))
        .routes(routes!(update_preset::update_preset, delete_preset::delete_preset))
}

/// Which playbook's.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PlaybookQuery {
    /// The playbook's id: `project/site.yml`.
    playbook: Option<String>,
}

impl PlaybookQuery {
    fn id(&self) -> Result<Option<PlaybookId>, Invalid> {
        let id = self.playbook.as_deref().map(str::parse).transpose();
        id.map_err(|_| Invalid::field("playbook", "must be the id of a playbook of the library"))
    }
}
