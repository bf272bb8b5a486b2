//! Environments: variables that hold wherever one is chosen. Secret values are never sent again.

mod create_environment;
mod delete_environment;
mod list_environments;
mod update_environment;

pub use create_environment::CreateEnvironment;
pub use list_environments::EnvironmentList;
pub use update_environment::UpdateEnvironment;

use crate::api::AppState;
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/api/environments`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(
            list_environments::list_environments,
            create_environment::create_environment
        ))
        .routes(routes!(
            update_environment::update_environment,
            delete_environment::delete_environment
        ))
}
