//! `GET /api/deployments`.

use crate::{
    api::{
        AppState,
        extract::{Query, page},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{
        deployment::{Deployment, DeploymentStatus},
        page::PageMeta,
    },
    store::deployments::{self, DeploymentListFilter},
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which deployments are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListDeploymentsQuery {
    /// Counted from 1.
    page: Option<i64>,
    /// 1 to 500; 50 when not said.
    per_page: Option<i64>,
    /// Part of the name, the playbook or the launcher's name, or the number.
    search: Option<String>,
    /// Only these.
    status: Option<DeploymentStatus>,
    /// Only this playbook's.
    playbook: Option<String>,
}

/// A page of deployments.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeploymentList {
    /// Newest first.
    pub data: Vec<Deployment>,
    /// Which page this is.
    pub meta: PageMeta,
}

/// Deployments, newest first.
#[utoipa::path(
    get, path = "/api/deployments", tag = "deployments", params(ListDeploymentsQuery),
    extensions(("x-permission" = json!(Action::ReadDeployments))),
    responses(
        (status = 200, body = DeploymentList),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_deployments(
    State(state): State<AppState>,
    Query(query): Query<ListDeploymentsQuery>,
) -> Result<Json<DeploymentList>, Problem> {
    let page = page(query.page, query.per_page, 500)?;
    let filter = DeploymentListFilter {
        search: query.search,
        status: query.status,
        playbook: query.playbook,
    };
    let mut connection = state.database.acquire().await?;
    let (data, total) = deployments::list_deployments(&mut connection, &filter, page).await?;
    Ok(Json(DeploymentList {
        data,
        meta: page.meta(total),
    }))
}
