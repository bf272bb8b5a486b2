//! Reads a body to its end.

use crate::api::{body_memory::NoRoom, problem::Problem, server::ReceiveError};
use axum::{RequestExt as _, body::Bytes, extract::Request, http::StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError};
use std::error::Error;

/// The whole body, within the limits on its size, its speed and the memory for bodies.
pub async fn receive(request: Request) -> Result<Bytes, Problem> {
    match request.with_limited_body().into_body().collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(refuse(&error)),
    }
}

fn refuse(error: &(dyn Error + 'static)) -> Problem {
    let mut causes = Some(error);
    while let Some(cause) = causes {
        causes = cause.source();
        if cause.is::<LengthLimitError>() {
            return Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "payload_too_large",
                "the body is larger than this endpoint takes",
            );
        }
        if let Some(no_room) = cause.downcast_ref::<NoRoom>() {
            return (*no_room).into();
        }
        if let Some(error) = cause.downcast_ref::<ReceiveError>() {
            return error.into();
        }
    }
    Problem::new(StatusCode::BAD_REQUEST, "malformed_body", "the body could not be read")
}
