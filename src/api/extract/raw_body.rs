//! A body of plain bytes.

use super::json_body::refuse;
use crate::api::problem::Problem;
use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
};

/// The body as it came, up to the limit of the endpoint.
#[derive(Debug)]
pub struct RawBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Bytes::from_request(request, state).await {
            Ok(bytes) => Ok(Self(bytes)),
            Err(rejection) => Err(refuse(&rejection)),
        }
    }
}
