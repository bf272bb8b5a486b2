//! `GET /api/health`.

use crate::{
    api::{AppState, problem::RETRY_AFTER},
    domain::text_enum::text_enum,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
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
        /// It does, but all connections that this server may have to it are in use.
        Busy = "busy",
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
    responses((status = 200, body = Health), (status = 503, description = "Degraded; `Retry-After` says when to ask again", body = Health))
)]
pub(super) async fn get_health(State(state): State<AppState>) -> Response {
    let database = state.database.with_patience(DATABASE_TIMEOUT);
    let database = match tokio::time::timeout(2 * DATABASE_TIMEOUT, database.ping()).await {
        Ok(Ok(())) => DatabaseHealth::Ok,
        Ok(Err(error)) if error.is_exhausted() => DatabaseHealth::Busy,
        Ok(Err(_)) | Err(_) => DatabaseHealth::Unavailable,
    };
    let status = match database {
        DatabaseHealth::Ok => HealthStatus::Ok,
        DatabaseHealth::Busy | DatabaseHealth::Unavailable => HealthStatus::Degraded,
    };
    let health = Json(Health {
        status,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        database,
    });
    match status {
        HealthStatus::Ok => health.into_response(),
        HealthStatus::Degraded => {
            let retry_after = [(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER))];
            (StatusCode::SERVICE_UNAVAILABLE, retry_after, health).into_response()
        }
    }
}
