//! `POST /api/recordings`.

use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{
        deployment::{CommandLine, Deployment, Launcher},
        validation::Validator,
    },
    store::{
        StoreError, deployments,
        recordings::{self, NewRecording},
    },
};
use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

const MAX_WORDS: usize = 1000;
const MAX_WORD_BYTES: usize = 64 * 1024;
const MAX_PATH_BYTES: usize = 4096;
const MAX_MACHINE_BYTES: usize = 255;
/// A name is for people, and cut to fit.
const MAX_NAME_CHARS: usize = 200;

/// What a shell begins to run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRecording {
    /// Made by the recorder: a UUID of version 7. The deployment has it too.
    id: Uuid,
    /// The program and its arguments, without the values of extra variables.
    words: Vec<String>,
    /// The folder it runs in.
    folder: String,
    /// The machine it runs on.
    machine: String,
    /// The playbook's file as it was named, or the module.
    playbook: String,
    /// When it began.
    started_at: DateTime<Utc>,
    /// Which program it is.
    kind: RecordedKind,
}

/// Which program is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordedKind {
    /// `ansible-playbook`.
    Playbook,
    /// `ansible`.
    Adhoc,
}

/// A recording, and how much of it is stored.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RecordingState {
    /// The deployment that it is.
    pub deployment: Deployment,
    /// Bytes of events.
    pub spool_offset: u64,
    /// Bytes of output.
    pub output_offset: u64,
}

/// Begins a recording. Asked again with the same id, it says how much is stored.
#[utoipa::path(
    post, path = "/api/recordings", tag = "recordings", request_body = CreateRecording,
    extensions(("x-permission" = json!(Action::Record))),
    responses(
        (status = 200, description = "It was there already", body = RecordingState),
        (status = 201, body = RecordingState),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed, or somebody else's recording", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "A deployment that is no recording has this id", body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_recording(
    actor: Actor,
    State(state): State<AppState>,
    JsonBody(body): JsonBody<CreateRecording>,
) -> Result<(StatusCode, Json<RecordingState>), Problem> {
    check(&body)?;
    let id = body.id;
    let new = NewRecording {
        id,
        name: name(&body),
        playbook: body.playbook,
        command: CommandLine::Shell {
            words: body.words,
            folder: body.folder,
            machine: body.machine,
        },
        started_at: body.started_at,
        created_by: Launcher {
            id: actor.principal.user_id,
            username: actor.principal.username.clone(),
        },
    };
    let mut transaction = state.database.begin().await?;
    let is_new = recordings::insert_recording(&mut transaction, &new).await?;
    let recording = match super::lock(&mut transaction, &actor, id).await {
        Err(problem) if problem.status == StatusCode::NOT_FOUND.as_u16() => {
            return Err(Problem::conflict("another deployment has this id"));
        }
        locked => locked?,
    };
    let deployment = deployments::get_deployment(&mut transaction, id).await?;
    if is_new {
        actor
            .record(
                &mut transaction,
                actor.entry("deployment.record").object(id).after(&deployment),
            )
            .await?;
    }
    transaction.commit().await.map_err(StoreError::from)?;
    if is_new {
        tracing::info!(deployment = %id, playbook = new.playbook, "a shell records a run");
    }
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let answer = RecordingState {
        deployment,
        spool_offset: recording.run.spool_offset,
        output_offset: recording.run.output_offset,
    };
    Ok((status, Json(answer)))
}

/// The file's name, or the module's.
fn name(body: &CreateRecording) -> String {
    let name = match body.kind {
        RecordedKind::Playbook => body.playbook.rsplit('/').next().unwrap_or_default(),
        RecordedKind::Adhoc => &body.playbook,
    };
    name.chars().take(MAX_NAME_CHARS).collect()
}

fn check(body: &CreateRecording) -> Result<(), Problem> {
    let mut validator = Validator::new();
    validator.check(
        body.id.get_version_num() == 7,
        "id",
        "must be a UUID of version 7, made for this recording",
    );
    validator.check(
        (1..=MAX_WORDS).contains(&body.words.len()),
        "words",
        "must be 1 to 1000 words",
    );
    validator.check(
        body.words.iter().map(String::len).sum::<usize>() <= MAX_WORD_BYTES
            && !body.words.iter().any(|word| word.contains('\0')),
        "words",
        "must be at most 65536 bytes together, without NUL characters",
    );
    for (field, text, most) in [
        ("folder", &body.folder, MAX_PATH_BYTES),
        ("playbook", &body.playbook, MAX_PATH_BYTES),
        ("machine", &body.machine, MAX_MACHINE_BYTES),
    ] {
        if !(1..=most).contains(&text.len()) || text.contains('\0') {
            validator.error(field, format!("must be 1 to {most} bytes, without NUL characters"));
        }
    }
    Ok(validator.finish()?)
}
