//! `GET /api/deployments/{id}/servers`.

use crate::{
    api::{
        AppState,
        extract::{Path, Query, page},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{
        deployment::{DeploymentServer, HostStatus},
        page::PageMeta,
        validation::Invalid,
    },
    store::{
        deployment_servers::{self, RowFilter, RowSort},
        deployments,
    },
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which rows are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListDeploymentServersQuery {
    /// Counted from 1.
    page: Option<i64>,
    /// 1 to 5000; 50 when not said.
    per_page: Option<i64>,
    /// Part of the host's name or its address.
    search: Option<String>,
    /// Only rows of this status.
    status: Option<HostStatus>,
    /// `host` (when not said), `status` (what needs attention first), `started_at`, `finished_at`; with `-` in front the other way.
    sort: Option<String>,
}

/// A page of rows.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeploymentServerList {
    /// One for each host.
    pub data: Vec<DeploymentServer>,
    /// Which page this is.
    pub meta: PageMeta,
}

/// The hosts of a deployment.
#[utoipa::path(
    get, path = "/api/deployments/{id}/servers", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id, or its number"), ListDeploymentServersQuery),
    extensions(("x-permission" = json!(Action::ReadDeployments))),
    responses(
        (status = 200, body = DeploymentServerList),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_deployment_servers(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Query(query): Query<ListDeploymentServersQuery>,
) -> Result<Json<DeploymentServerList>, Problem> {
    let page = page(query.page, query.per_page, 5000)?;
    let sort = match query.sort.as_deref() {
        None => RowSort::default(),
        Some(word) => RowSort::from_word(word).ok_or_else(unknown_sort)?,
    };
    let filter = RowFilter {
        search: query.search,
        status: query.status,
        sort,
    };
    let mut connection = state.database.acquire().await?;
    let id = super::find(&mut connection, &id).await?;
    deployments::get_deployment(&mut connection, id).await?;
    let (data, total) = deployment_servers::list(&mut connection, id, &filter, page).await?;
    Ok(Json(DeploymentServerList {
        data,
        meta: page.meta(total),
    }))
}

fn unknown_sort() -> Invalid {
    let words: Vec<&str> = RowSort::WORDS.iter().map(|(word, _)| *word).collect();
    Invalid::field("sort", format!("must be one of {}", words.join(", ")))
}
