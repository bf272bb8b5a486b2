//! `GET /api/vault-passwords`.

use crate::{
    api::{AppState, problem::Problem},
    auth::policy::Action,
    domain::vault_password::VaultPassword,
    store::vault_passwords,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// All passwords, as far as they may be shown.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct VaultPasswordList {
    /// By vault id.
    pub data: Vec<VaultPassword>,
}

/// Which passwords of `ansible-vault` are stored.
#[utoipa::path(
    get, path = "/api/vault-passwords", tag = "vault-passwords",
    extensions(("x-permission" = json!(Action::ReadPlaybooks))),
    responses(
        (status = 200, body = VaultPasswordList),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_vault_passwords(State(state): State<AppState>) -> Result<Json<VaultPasswordList>, Problem> {
    let data = vault_passwords::list_vault_passwords(&mut *state.database.acquire().await?).await?;
    Ok(Json(VaultPasswordList { data }))
}
