//! A body that is a file.

use super::receive;
use crate::api::problem::Problem;
use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{StatusCode, header},
};
use std::convert::Infallible;

/// A body of plain bytes that has not been read yet, so that a handler can check the rest of the request first.
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
        receive(self.0).await
    }
}

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = Infallible;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(request))
    }
}
