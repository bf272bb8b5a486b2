//! `GET /api/deployments/{id}/output`.

use crate::{
    api::{
        AppState,
        extract::{Path, Query},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{DeploymentId, deployment::Deployment, text_enum::text_enum, validation::Validator},
    store::{StoreError, deployments, output, retention},
};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const DEFAULT_BYTES: i64 = 256 * 1024;
const MAX_BYTES: i64 = 4 * 1024 * 1024;

text_enum! {
    /// How the output is wanted.
    OutputFormat {
        /// A page of chunks.
        Json = "json",
        /// All of it, as a file.
        Text = "text",
    }
}

/// Which output is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListDeploymentOutputQuery {
    /// Bytes to leave out; 0 when not said.
    after: Option<i64>,
    /// 1 to 4194304; 262144 when not said. The last chunk may go a little beyond.
    limit_bytes: Option<i64>,
    /// `json` when not said; `text` gives all of it as `text/plain`.
    #[param(inline)]
    format: Option<OutputFormat>,
}

/// Some output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutputChunk {
    /// Where it begins, in bytes of the whole output.
    pub offset: i64,
    /// UTF-8 with ANSI escapes; what is not UTF-8 shows as U+FFFD.
    pub text: String,
    /// When it was stored.
    pub recorded_at: DateTime<Utc>,
}

/// Output in order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OutputList {
    /// The chunks.
    pub data: Vec<OutputChunk>,
    /// Where to go on; null when there is no more at present.
    pub next_after: Option<i64>,
    /// Bytes stored so far, and removed since.
    pub total_bytes: i64,
    /// Bytes at the beginning that were removed, because they are older than the setting `retention_days` or were when it was lower;
    /// 0 when all are there.
    pub removed_bytes: i64,
}

/// The raw output of a deployment.
#[utoipa::path(
    get, path = "/api/deployments/{id}/output", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id, or its number"), ListDeploymentOutputQuery),
    extensions(("x-permission" = json!(Action::ReadDeployments))),
    responses(
        (status = 200, content((OutputList = "application/json"), (String = "text/plain"))),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_deployment_output(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Query(query): Query<ListDeploymentOutputQuery>,
) -> Result<Response, Problem> {
    let (after, limit) = (query.after.unwrap_or(0), query.limit_bytes.unwrap_or(DEFAULT_BYTES));
    let mut validator = Validator::new();
    validator.check(after >= 0, "after", "must not be negative");
    validator.check(
        (1..=MAX_BYTES).contains(&limit),
        "limit_bytes",
        "must be between 1 and 4194304",
    );
    validator.finish()?;
    let mut connection = state.database.acquire().await?;
    let id = super::find(&mut connection, &id).await?;
    let deployment = deployments::get_deployment(&mut connection, id).await?;
    let removed_bytes = retention::removed_output(&mut connection, &deployment).await?;
    if query.format == Some(OutputFormat::Text) {
        drop(connection);
        return Ok(download(state, &deployment, after, removed_bytes));
    }
    let after = after.max(removed_bytes);
    let chunks = output::list_after(&mut connection, id, after, limit).await?;
    let end = chunks
        .last()
        .map_or(after, |chunk| chunk.offset + chunk.content.len() as i64);
    let is_whole = deployment.status.is_final() && end >= deployment.output_bytes;
    let (data, end) = to_text(chunks, after, is_whole);
    let next_after = (end > after && end < deployment.output_bytes).then_some(end);
    Ok(Json(OutputList {
        data,
        next_after,
        total_bytes: deployment.output_bytes,
        removed_bytes,
    })
    .into_response())
}

/// Chunks as text. Characters are kept whole: the bytes of one that a chunk breaks off move to the next chunk, and those at the end
/// are left for the next page unless `is_whole`. Gives where the text ends.
fn to_text(chunks: Vec<output::OutputChunk>, after: i64, is_whole: bool) -> (Vec<OutputChunk>, i64) {
    let last = chunks.len().saturating_sub(1);
    let mut carried: Vec<u8> = Vec::new();
    let mut end = after;
    let mut data = Vec::with_capacity(chunks.len());
    for (index, chunk) in chunks.into_iter().enumerate() {
        let offset = chunk.offset - carried.len() as i64;
        let mut bytes = std::mem::take(&mut carried);
        bytes.extend_from_slice(&chunk.content);
        if !(is_whole && index == last) {
            carried = bytes.split_off(bytes.len() - broken_off(&bytes));
        }
        end = offset + bytes.len() as i64;
        if !bytes.is_empty() {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            data.push(OutputChunk {
                offset,
                text,
                recorded_at: chunk.recorded_at,
            });
        }
    }
    (data, end)
}

/// How many bytes at the end begin a character that is not complete.
fn broken_off(bytes: &[u8]) -> usize {
    match std::str::from_utf8(&bytes[bytes.len().saturating_sub(3)..]) {
        Err(error) if error.error_len().is_none() => bytes.len().min(3) - error.valid_up_to(),
        // The window may begin inside a character; then look at shorter ones.
        Err(_) => (1..=bytes.len().min(3))
            .rev()
            .find(|&length| {
                let tail = &bytes[bytes.len() - length..];
                std::str::from_utf8(tail).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
            })
            .unwrap_or(0),
        Ok(_) => 0,
    }
}

fn download(state: AppState, deployment: &Deployment, after: i64, removed_bytes: i64) -> Response {
    let name = format!("attachment; filename=\"deployment-{}.log\"", deployment.number);
    // A file must not look as if it were all there is.
    let gone = (after < removed_bytes).then(|| {
        let gone = removed_bytes - after;
        Ok(format!("[{gone} bytes of output are kept no longer]\n").into_bytes())
    });
    let rest = stream::try_unfold((state, deployment.id, after.max(removed_bytes)), read_on);
    let body = Body::from_stream(stream::iter(gone).chain(rest));
    (
        [
            (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
            (header::CONTENT_DISPOSITION, name),
        ],
        body,
    )
        .into_response()
}

type Position = (AppState, DeploymentId, i64);

async fn read_on((state, id, after): Position) -> Result<Option<(Vec<u8>, Position)>, StoreError> {
    let mut connection = state.database.acquire().await?;
    let chunks = output::list_after(&mut connection, id, after, DEFAULT_BYTES).await?;
    drop(connection);
    let Some(last) = chunks.last() else { return Ok(None) };
    let end = last.offset + last.content.len() as i64;
    let bytes = chunks.into_iter().flat_map(|chunk| chunk.content).collect();
    Ok(Some((bytes, (state, id, end))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(parts: &[&[u8]]) -> Vec<output::OutputChunk> {
        let mut offset = 0;
        parts
            .iter()
            .map(|part| {
                let chunk = output::OutputChunk {
                    offset,
                    content: part.to_vec(),
                    recorded_at: DateTime::<Utc>::default(),
                };
                offset += part.len() as i64;
                chunk
            })
            .collect()
    }

    fn texts(parts: &[&[u8]], is_whole: bool) -> (Vec<(i64, String)>, i64) {
        let (data, end) = to_text(chunks(parts), 0, is_whole);
        (data.into_iter().map(|chunk| (chunk.offset, chunk.text)).collect(), end)
    }

    #[test]
    fn characters_stay_whole_across_chunks() {
        assert_eq!(
            texts(&[b"a\xe2\x82", b"\xac b"], false),
            (vec![(0, "a".to_owned()), (1, "€ b".to_owned())], 6)
        );
        assert_eq!(texts(&[b"ab\xf0\x9f\x98"], false), (vec![(0, "ab".to_owned())], 2));
        assert_eq!(
            texts(&[b"ab\xf0\x9f\x98"], true),
            (vec![(0, "ab\u{fffd}".to_owned())], 5)
        );
        assert_eq!(
            texts(&[b"\xff\xfe\xffx"], false),
            (vec![(0, "\u{fffd}\u{fffd}\u{fffd}x".to_owned())], 4)
        );
        assert_eq!(texts(&["ü€😀".as_bytes()], false), (vec![(0, "ü€😀".to_owned())], 9));
        assert_eq!(texts(&[], false), (vec![], 0));
    }
}
