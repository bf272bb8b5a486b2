//! `GET /api/stream`.

use crate::{
    api::{AppState, extract::Actor, live::ListSubscription, problem::Problem, sse, streams::Reader},
    auth::policy::Action,
    domain::{DeploymentId, deployment::Deployment},
    store::{StoreError, deployments},
};
use axum::{extract::State, response::Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, time::Duration};
use tokio::time::Instant;
use utoipa::ToSchema;

/// At most four messages a second.
const STEP: Duration = Duration::from_millis(250);
/// The newest deployments are watched, the unfinished ones, and those that were changed.
const NEWEST: i64 = 50;

/// Deployments that have changed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeploymentsMessage {
    /// Newest first.
    pub deployments: Vec<Deployment>,
}

/// Server-sent events: `deployments`, first with the newest and the unfinished ones, then with each that has changed; `closing`, when the
/// server stops: then come back.
#[utoipa::path(
    get, path = "/api/stream", tag = "deployments",
    extensions(("x-permission" = json!(Action::ReadDeployments))),
    responses(
        (status = 200, description = "`event: deployments | closing`", body = DeploymentsMessage, content_type = "text/event-stream"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "The user has too many streams open", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many streams are open", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn stream_deployments(actor: Actor, State(state): State<AppState>) -> Result<Response, Problem> {
    let reader = Reader::admit(&state, actor, Action::ReadDeployments)?;
    let feed = ListFeed {
        subscription: state.live.subscribe_all(),
        state,
        shown: HashMap::new(),
        changed: Vec::new(),
        stepped_at: None,
    };
    Ok(sse::respond(
        reader,
        stream::unfold(Some(feed), |feed| async {
            let mut feed = feed?;
            let shutdown = feed.state.shutdown.clone();
            match shutdown.run_until_cancelled(feed.next()).await {
                Some(message) => Some((sse::event("deployments", None, &message?), Some(feed))),
                None => Some((sse::closing(None), None)),
            }
        }),
    ))
}

struct ListFeed {
    state: AppState,
    subscription: ListSubscription,
    /// As last sent.
    shown: HashMap<DeploymentId, Deployment>,
    /// Heard of, and not looked at yet.
    changed: Vec<DeploymentId>,
    stepped_at: Option<Instant>,
}

impl ListFeed {
    async fn next(&mut self) -> Option<DeploymentsMessage> {
        loop {
            if let Some(at) = self.stepped_at {
                self.subscription.changed(&mut self.changed).await;
                tokio::time::sleep_until(at + STEP).await;
                self.subscription.drain(&mut self.changed);
            }
            self.stepped_at = Some(Instant::now());
            let database = self.state.stream_database.clone();
            match database.unless_lost(self.step()).await {
                Ok(deployments) => {
                    self.changed.clear();
                    if !deployments.is_empty() {
                        return Some(DeploymentsMessage { deployments });
                    }
                }
                // A database that is away is in the log once, and not for every viewer.
                Err(error) if error.is_unavailable() => {}
                Err(error) => tracing::warn!(%error, "the stream of deployments cannot go on; trying again"),
            }
        }
    }

    async fn step(&mut self) -> Result<Vec<Deployment>, StoreError> {
        let mut changed = self.changed.clone();
        // Those that were unfinished when last sent may have ended without our hearing of it.
        changed.extend(
            self.shown
                .values()
                .filter(|shown| !shown.status.is_final())
                .map(|shown| shown.id),
        );
        let mut connection = self.state.stream_database.acquire().await?;
        let watched = deployments::list_watched(&mut connection, &changed, NEWEST).await?;
        let fresh: Vec<Deployment> = watched
            .iter()
            .filter(|deployment| self.shown.get(&deployment.id) != Some(deployment))
            .cloned()
            .collect();
        self.shown = watched
            .into_iter()
            .map(|deployment| (deployment.id, deployment))
            .collect();
        Ok(fresh)
    }
}
