//! `GET /api/health`.

use crate::{api::AppState, domain::text_enum::text_enum};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// How long the database may take to answer before it counts as unavailable.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

text_enum! {
    /// Whether the server can do its work.
    HealthStatus {
        /// It can.
        Ok = "ok",
        /// It cannot.
        Degraded = "degraded",
    }
}

text_enum! {
    /// Whether the database answers.
    DatabaseHealth {
        /// It does.
        Ok = "ok",
        /// It does not.
        Unavailable = "unavailable",
    }
}

/// Whether the server can do its work.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Whether the server can do its work.
    pub status: HealthStatus,
    /// Admiral's version.
    pub version: String,
    /// Whether the database answers.
    pub database: DatabaseHealth,
}

/// Whether this server can do its work.
#[utoipa::path(
    get, path = "/api/health", tag = "health", security(()),
    responses((status = 200, body = Health), (status = 503, description = "Degraded", body = Health))
)]
pub(super) async fn get_health(State(state): State<AppState>) -> (StatusCode, Json<Health>) {
    let answered = tokio::time::timeout(DATABASE_TIMEOUT, state.database.ping()).await;
    let (code, status, database) = match answered {
        Ok(Ok(())) => (StatusCode::OK, HealthStatus::Ok, DatabaseHealth::Ok),
        Ok(Err(_)) | Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            HealthStatus::Degraded,
            DatabaseHealth::Unavailable,
        ),
    };
    (
        code,
        Json(Health {
            status,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            database,
        }),
    )
}
