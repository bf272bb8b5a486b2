//! Recordings: what somebody's shell runs, sent here while it goes on or afterwards.

mod append_events;
mod append_output;
mod create_recording;
mod finish_recording;

pub use create_recording::{CreateRecording, RecordedKind, RecordingState};
pub use finish_recording::FinishRecording;

use crate::{
    api::{AppState, extract::Actor, problem::Problem},
    auth::policy::Action,
    domain::{DeploymentId, user::Role},
    ingest::recording::{Piece, RecordingError, Stored, Terms, append},
    store::{
        Connection, StoreError, ingest,
        recordings::{self, Recording},
    },
};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/api/recordings…`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_recording::create_recording))
        .merge(append_events::router())
        .merge(append_output::router())
        .routes(routes!(finish_recording::finish_recording))
}

/// Where the bytes of a body belong.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BytesPlace {
    /// Where in the file they begin; 0 when left out. What is stored already is passed over.
    #[serde(default)]
    offset: u64,
    /// They end the file: what is no whole line counts as one.
    #[serde(default)]
    last: bool,
}

/// How much of a recording is stored, and what its recorder is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordingProgress {
    /// Bytes of events.
    pub spool_offset: u64,
    /// Bytes of output.
    pub output_offset: u64,
    /// The run is to be ended.
    pub cancel_requested: bool,
    /// Who asked for that.
    pub cancel_requested_by: Option<String>,
}

/// The recording, locked, if the actor may write to it: whoever began it, and admins.
async fn lock(connection: &mut Connection, actor: &Actor, id: DeploymentId) -> Result<Recording, Problem> {
    let recording = recordings::lock_recording(connection, id).await?;
    tracing::Span::current().record("deployment", tracing::field::display(id));
    let own = actor.principal.user_id.is_some() && recording.created_by == actor.principal.user_id;
    if own || actor.principal.role == Role::Admin {
        return Ok(recording);
    }
    let mut problem = actor.denied(
        Action::Record,
        "only who began a recording, or an admin, may write to it",
    );
    // Another role would not help, unlike with other refusals.
    "somebody_elses".clone_into(&mut problem.code);
    Err(problem)
}

/// Stores bytes of a recording.
async fn store(
    state: &AppState,
    actor: &Actor,
    id: DeploymentId,
    piece: Piece<'_>,
    place: BytesPlace,
) -> Result<RecordingProgress, Problem> {
    let mut reduced = false;
    loop {
        let mut transaction = state.database.begin().await?;
        let recording = lock(&mut transaction, actor, id).await?;
        let terms = Terms {
            offset: place.offset,
            last: place.last,
            reduced,
            now: state.clock.now(),
        };
        let stored = match append(&mut transaction, &recording, piece, terms).await {
            Err(RecordingError::Store(error)) if ingest::refuses_data(&error) && !reduced => {
                tracing::error!(%error, deployment = %id, "the database refuses events; they are stored without their content");
                reduced = true;
                continue;
            }
            stored => stored?,
        };
        let progress = progress(&mut transaction, &recording, stored).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        return Ok(progress);
    }
}

async fn progress(
    connection: &mut Connection,
    recording: &Recording,
    stored: Stored,
) -> Result<RecordingProgress, StoreError> {
    let cancel_requested_by = if recording.cancel_requested {
        recordings::cancelled_by(connection, recording.run.deployment_id).await?
    } else {
        None
    };
    Ok(RecordingProgress {
        spool_offset: stored.spool_offset,
        output_offset: stored.output_offset,
        cancel_requested: recording.cancel_requested,
        cancel_requested_by,
    })
}

impl From<RecordingError> for Problem {
    fn from(error: RecordingError) -> Self {
        let said = error.to_string();
        match error {
            RecordingError::Gap { wanted } => {
                Self::new(StatusCode::CONFLICT, "offset_gap", said).with("wanted", wanted)
            }
            RecordingError::Ended => Self::new(StatusCode::CONFLICT, "recording_ended", said),
            RecordingError::Store(error) => error.into(),
        }
    }
}
