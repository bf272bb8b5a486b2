//! Follows a deployment's stream until its end, through lost connections.

use super::{
    client::{Client, Refused, is_passing, with_query},
    sse::{Message, Parser},
};
use crate::domain::deployment::{Deployment, DeploymentServer};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How watching ended.
#[derive(Debug)]
pub enum Outcome {
    /// The deployment ended.
    Ended(Box<Deployment>),
    /// The person left; the deployment goes on.
    Detached,
}

/// What the stream said.
#[derive(Debug)]
pub enum Update {
    /// The deployment as it is now.
    Deployment(Box<Deployment>),
    /// Rows that changed.
    Servers(Vec<DeploymentServer>),
    /// Events in order, each as in the API.
    Events(Vec<Value>),
}

/// Shows a deployment.
pub trait View {
    /// Whether it needs the events.
    fn wants_events(&self) -> bool;
    /// The stream said something. `data` is what it said, as JSON.
    fn update(&mut self, update: &Update, data: &str) -> anyhow::Result<()>;
    /// Says something beside the deployment.
    fn note(&mut self, text: &str);
    /// Time passed: called a few times a second.
    fn tick(&mut self) {}
    /// Nothing more will come.
    fn finish(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// How long a server is tried for that cannot be reached: longer than a restart, or than its database may be away.
const GIVE_UP_AFTER: Duration = Duration::from_mins(10);
/// Between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// Follows until the end. Ctrl-C asks to cancel; a second one detaches.
pub async fn watch(client: &Client, id: Uuid, view: &mut dyn View) -> anyhow::Result<Outcome> {
    let mut follower = Follower {
        client,
        id,
        view,
        cursor: 0,
        cancelling: false,
    };
    let outcome = follower.follow().await;
    follower.view.finish()?;
    outcome
}

/// Asks again while the server cannot be reached, until it answers or the time is over.
pub async fn insist<T>(ask: impl AsyncFn() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let since = Instant::now();
    loop {
        match ask().await {
            Err(error) if is_passing(&error) && since.elapsed() < GIVE_UP_AFTER => {
                tokio::time::sleep(LONGEST_WAIT / 3).await;
            }
            answer => return answer,
        }
    }
}

struct Follower<'a> {
    client: &'a Client,
    id: Uuid,
    view: &'a mut dyn View,
    /// Position to resume from.
    cursor: i64,
    cancelling: bool,
}

enum Step {
    /// Nothing will change any more.
    Ended(Box<Deployment>),
    Detached,
    /// The connection was lost, after this many messages.
    Lost(usize, Option<anyhow::Error>),
}

/// What cannot be reached now is tried again; what was refused is refused.
fn lost_or(error: anyhow::Error) -> anyhow::Result<Step> {
    let refused = error.chain().find_map(|cause| cause.downcast_ref::<Refused>());
    match refused {
        Some(refused) if !refused.is_passing() => Err(error),
        _ => Ok(Step::Lost(0, Some(error))),
    }
}

impl Follower<'_> {
    async fn follow(&mut self) -> anyhow::Result<Outcome> {
        // Since when nothing was heard, and how often it was tried since.
        let mut lost: Option<(Instant, u32)> = None;
        loop {
            match self.one_connection().await? {
                Step::Ended(deployment) => return Ok(Outcome::Ended(deployment)),
                Step::Detached => return Ok(Outcome::Detached),
                Step::Lost(messages, error) => {
                    let (since, tries) = match lost {
                        Some((since, tries)) if messages == 0 => (since, tries + 1),
                        _ => (Instant::now(), 1),
                    };
                    lost = Some((since, tries));
                    if since.elapsed() > GIVE_UP_AFTER {
                        return Err(error
                            .unwrap_or_else(|| anyhow::anyhow!("the stream ended too early"))
                            .context("lost sight of the deployment, which goes on"));
                    }
                    // The first loss may be a server that restarts, and says nothing about trouble.
                    if tries == 2 {
                        self.view.note("the server cannot be reached; trying again");
                    }
                    let wait = Duration::from_millis(200 * 2_u64.pow(tries.min(5))).min(LONGEST_WAIT);
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        _ = tokio::signal::ctrl_c() => if !self.interrupted().await { return Ok(Outcome::Detached) },
                    }
                }
            }
        }
    }

    async fn one_connection(&mut self) -> anyhow::Result<Step> {
        let after = self.cursor.to_string();
        let events = if self.view.wants_events() { "true" } else { "false" };
        let path = with_query(
            &format!("/api/deployments/{}/stream", self.id),
            &[("after", &after), ("events", events)],
        );
        let mut body = match self.client.stream(&path).await {
            Ok(body) => body,
            Err(error) => return lost_or(error),
        };
        let mut parser = Parser::new();
        let mut messages = 0;
        let mut ticks = tokio::time::interval(Duration::from_millis(250));
        loop {
            tokio::select! {
                chunk = body.next() => match chunk {
                    Some(Ok(chunk)) => for message in parser.feed(&chunk) {
                        messages += 1;
                        if message.event == "closing" {
                            return Ok(Step::Lost(messages, None));
                        }
                        if self.take(&message)? {
                            return self.ended().await;
                        }
                    },
                    Some(Err(error)) => return Ok(Step::Lost(messages, Some(error))),
                    None => return Ok(Step::Lost(messages, None)),
                },
                _ = ticks.tick() => self.view.tick(),
                _ = tokio::signal::ctrl_c() => if !self.interrupted().await { return Ok(Step::Detached) },
            }
        }
    }

    /// Takes a message in; true at the end.
    fn take(&mut self, message: &Message) -> anyhow::Result<bool> {
        let update = match message.event.as_str() {
            "end" => return Ok(true),
            "deployment" => {
                let deployment: Box<Deployment> = serde_json::from_str(&message.data)?;
                Update::Deployment(deployment)
            }
            "servers" => {
                let mut data: Value = serde_json::from_str(&message.data)?;
                Update::Servers(serde_json::from_value(data["rows"].take())?)
            }
            "events" => {
                let mut data: Value = serde_json::from_str(&message.data)?;
                match data["events"].take() {
                    Value::Array(events) => Update::Events(events),
                    _ => Update::Events(Vec::new()),
                }
            }
            // A newer server may say more than we know of.
            _ => return Ok(false),
        };
        self.view.update(&update, &message.data)?;
        if let Some(position) = message.id.as_ref().and_then(|id| id.parse().ok()) {
            self.cursor = position;
        }
        Ok(false)
    }

    async fn ended(&mut self) -> anyhow::Result<Step> {
        match self.client.get(&format!("/api/deployments/{}", self.id)).await {
            Ok(fresh) => Ok(Step::Ended(serde_json::from_value(fresh)?)),
            Err(error) => lost_or(error),
        }
    }

    /// Whether to go on watching.
    async fn interrupted(&mut self) -> bool {
        if self.cancelling {
            return false;
        }
        self.cancelling = true;
        match self
            .client
            .post(&format!("/api/deployments/{}/cancel", self.id), json!({}))
            .await
        {
            Ok(_) => self
                .view
                .note("asked to cancel; press Ctrl-C again to leave it to itself"),
            Err(error) => self.view.note(&format!(
                "failed to ask to cancel: {error:#}; press Ctrl-C again to detach"
            )),
        }
        true
    }
}
