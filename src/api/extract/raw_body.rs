//! A body that is a file.

use super::json_body;
use crate::api::problem::Problem;
use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{StatusCode, header},
};
use std::convert::Infallible;

/// A body of plain bytes, not read yet: so a handler can first ask whether the actor may send it.
#[derive(Debug)]
pub struct RawBody(Request);

impl RawBody {
    /// The bytes; more than the route's limit are refused with 413.
    pub async fn read(self) -> Result<Bytes, Problem> {
        let kind = self.0.headers().get(header::CONTENT_TYPE);
        let is_plain = kind
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/octet-stream"));
        if !is_plain {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "send the file itself as the body, as application/octet-stream",
            ));
        }
        Bytes::from_request(self.0, &())
            .await
            .map_err(|rejection| json_body::refuse(&rejection))
    }
}

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = Infallible;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(request))
    }
}
