//! Deployments: launch, look, watch, cancel, retry.

mod cancel_deployment;
mod create_deployment;
mod get_deployment;
mod list_deployment_events;
mod list_deployment_output;
mod list_deployment_runs;
mod list_deployment_servers;
mod list_deployments;
mod preview_deployment;
mod retry_deployment;
mod stream_deployment;

pub use cancel_deployment::CancelDeployment;
pub use create_deployment::{CreateDeployment, FileAnswer};
pub use list_deployment_events::EventList;
pub use list_deployment_output::{OutputChunk, OutputFormat, OutputList};
pub use list_deployment_runs::RunList;
pub use list_deployment_servers::DeploymentServerList;
pub use list_deployments::DeploymentList;
pub use retry_deployment::RetryDeployment;
pub use stream_deployment::{EventsMessage, ServersMessage};

use crate::{
    api::{AppState, extract::JsonBody, problem::Problem},
    domain::DeploymentId,
    store::{Connection, deployments},
};
use axum::{
    body::HttpBody as _,
    extract::{DefaultBodyLimit, FromRequest, Request},
    http::header,
};
use serde::de::DeserializeOwned;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Longest launch, in bytes: ten files as base64, and the variables.
const FILES_BODY_LIMIT: usize = 6 * 1024 * 1024;

/// `/api/deployments…`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_deployments::list_deployments))
        .merge(with_files())
        .routes(routes!(get_deployment::get_deployment))
        .routes(routes!(list_deployment_servers::list_deployment_servers))
        .routes(routes!(list_deployment_runs::list_deployment_runs))
        .routes(routes!(list_deployment_events::list_deployment_events))
        .routes(routes!(list_deployment_output::list_deployment_output))
        .routes(routes!(stream_deployment::stream_deployment))
        .routes(routes!(cancel_deployment::cancel_deployment))
        .routes(routes!(retry_deployment::retry_deployment))
}

/// What takes files among its variables.
fn with_files() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_deployment::create_deployment))
        .routes(routes!(preview_deployment::preview_deployment))
        .layer(DefaultBodyLimit::max(FILES_BODY_LIMIT))
}

/// The deployment that a path names by its id or its number.
async fn find(connection: &mut Connection, text: &str) -> Result<DeploymentId, Problem> {
    let id = match text.parse::<i64>() {
        Ok(number) => deployments::find_by_number(connection, number).await?,
        Err(_) => text.parse().map_err(|_| Problem::not_found("deployment"))?,
    };
    tracing::Span::current().record("deployment", tracing::field::display(id));
    Ok(id)
}

/// A JSON body, or the default when there is none.
struct OptionalBody<T>(T);

impl<T: DeserializeOwned + Default> FromRequest<AppState> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        if request.body().is_end_stream() && !request.headers().contains_key(header::CONTENT_TYPE) {
            return Ok(Self(T::default()));
        }
        let JsonBody(value) = JsonBody::<T>::from_request(request, state).await?;
        Ok(Self(value))
    }
}
