//! Reads a body to its end.

use crate::api::{body_memory::NoRoom, problem::Problem, server::ReceiveError};
use axum::{RequestExt as _, body::Bytes, extract::Request, http::StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError};
use std::error::Error;

/// The whole body, within the limits on its size, its speed and the memory for bodies.
pub async fn receive(request: Request) -> Result<Bytes, Problem> {
    let mut body = request.with_limited_body().into_body();
    // Each piece keeps the buffer alive that it was received in, which has at least 8 KiB even if one byte arrived alone. So the bytes are
    // copied, and no pieces are kept.
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| refuse(&error))?;
        if let Some(data) = frame.data_ref() {
            whole.extend_from_slice(data);
        }
    }
    Ok(whole.into())
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

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use futures_util::stream;
    use std::{
        convert::Infallible,
        sync::atomic::{AtomicUsize, Ordering},
    };

    static BUFFERS: AtomicUsize = AtomicUsize::new(0);

    /// A buffer that counts itself.
    struct Buffer(Vec<u8>);

    impl Buffer {
        fn with(bytes: Vec<u8>) -> Self {
            BUFFERS.fetch_add(1, Ordering::SeqCst);
            Self(bytes)
        }
    }

    impl AsRef<[u8]> for Buffer {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    impl Drop for Buffer {
        fn drop(&mut self) {
            BUFFERS.fetch_sub(1, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn a_body_that_arrives_byte_by_byte_keeps_no_buffers() {
        const PIECES: usize = 1000;
        let pieces = (0..PIECES).map(|number| {
            let held = BUFFERS.load(Ordering::SeqCst);
            assert!(held < 5, "{held} buffers are kept after {number} pieces");
            Ok::<_, Infallible>(Bytes::from_owner(Buffer::with(vec![number as u8])))
        });
        let body = Body::from_stream(stream::iter(pieces));
        let whole = receive(Request::new(body)).await.unwrap();
        assert_eq!(whole.len(), PIECES);
        assert_eq!((whole[0], whole[1], whole[999]), (0, 1, (999 % 256) as u8));
    }
}
