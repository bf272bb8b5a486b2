//! Limits the memory that large answers take until their clients have read them.

use super::{
    body_memory::{BodyMemory, FREE, Holder, Reservation},
    problem::Problem,
};
use axum::{
    body::{Body, Bytes, HttpBody},
    response::Response,
};
use hyper::body::{Frame, SizeHint};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// Counts an answer for `holder` until all of it has been sent; refuses it when there is no room. Small answers are free. An answer whose size
/// is not known is made piece by piece, so it takes little memory.
pub(super) fn count(memory: &Arc<BodyMemory>, holder: Holder, response: Response) -> Result<Response, Problem> {
    let size = response.body().size_hint().exact().unwrap_or_default() as usize;
    if size <= FREE {
        return Ok(response);
    }
    let reservation = memory.open(holder);
    if let Err(no_room) = reservation.grow(size) {
        let problem = Problem::from(no_room);
        return Err(Problem {
            detail: "there are too many large answers that were not read yet; read them, then try again".to_owned(),
            ..problem
        });
    }
    Ok(response.map(|body| Body::new(Counted { body, reservation })))
}

/// An answer that is counted.
struct Counted {
    body: Body,
    reservation: Arc<Reservation>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        // The connection drops the body as soon as it has the last piece, and keeps the piece until the client has read it.
        let piece = |data| {
            Bytes::from_owner(Piece {
                data,
                _counted: Arc::clone(&self.reservation),
            })
        };
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A piece of an answer; dropping the last one ends the reservation.
struct Piece {
    data: Bytes,
    _counted: Arc<Reservation>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::new_id;
    use http_body_util::BodyExt as _;

    const LARGE: usize = 60 * 1024 * 1024;

    fn answer(bytes: usize) -> Response {
        Response::new(Body::from(vec![b'x'; bytes]))
    }

    #[tokio::test]
    async fn a_large_answer_counts_until_its_last_piece_is_dropped() {
        let memory = Arc::new(BodyMemory::default());
        let user = Holder::User(new_id());
        let first = count(&memory, user, answer(LARGE)).unwrap();
        assert_eq!(first.body().size_hint().exact(), Some(LARGE as u64));
        let refused = count(&memory, user, answer(LARGE)).unwrap_err();
        assert_eq!((refused.status, refused.retry_after.is_some()), (429, true));
        count(&memory, user, answer(FREE)).unwrap();
        count(&memory, Holder::User(new_id()), answer(LARGE)).unwrap();

        let mut body = first.into_body();
        let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(piece.len(), LARGE);
        drop(body);
        assert!(
            count(&memory, user, answer(LARGE)).is_err(),
            "it is still on its way to the client"
        );
        drop(piece);
        count(&memory, user, answer(LARGE)).unwrap();
    }
}
