//! Sends a recording to Admiral, while it grows and afterwards, from wherever the last one stopped.

use super::spool::{Growing, Spool};
use crate::{
    api::problem::Problem,
    cli::client::{Client, Refused, with_query},
};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// Bytes sent at once: of events more when one line is longer, of both fewer when a proxy takes no more.
const PIECE_BYTES: usize = 512 * 1024;
const SMALLEST_PIECE: usize = 16 * 1024;
/// Most bytes of events that the server takes at once.
const MAX_EVENT_BYTES: usize = 16 * 1024 * 1024;
/// The server takes no more of what was typed, in bytes and in words.
const MAX_TYPED_BYTES: usize = 64 * 1024;
const MAX_TYPED_WORDS: usize = 1000;
const MAX_PLAYBOOK_BYTES: usize = 4096;
/// Why the server wants something in no case, whoever asks and whenever.
const FINAL: [&str; 4] = ["recording_ended", "conflict", "somebody_elses", "validation_failed"];
/// News is sent this often at most.
const GATHER: Duration = Duration::from_millis(200);
/// The server hears of a recording without news this often.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// An answer that takes longer is given up.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// The server was found to have lost what it had this often before it is believed.
const MOST_BEGINNINGS: u32 = 3;

/// Why a recording could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// Trying again may help.
    #[error("{}", chain(.0))]
    Passing(anyhow::Error),
    /// The server does not want it, and says why.
    #[error("{0}")]
    Refused(String),
    /// There is no Admiral to send it to, and why.
    #[error("{0}")]
    NoDestination(&'static str),
}

/// What the server has of a recording.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    events: u64,
    output: u64,
}

type OnCancel<'a> = Box<dyn FnOnce(Option<&str>) + Send + 'a>;

/// Sends one recording.
pub struct Upload<'a> {
    client: &'a Client,
    spool: &'a Spool,
    path: String,
    sent: Sent,
    /// Bytes sent at once.
    piece: usize,
    /// Called once, with the name of who wants the run to end.
    on_cancel: Option<OnCancel<'a>>,
    /// The deployment's number, once the server has said it.
    pub number: Option<i64>,
}

impl<'a> Upload<'a> {
    /// Of a recording that nobody watches any more.
    pub fn new(client: &'a Client, spool: &'a Spool) -> Self {
        Self {
            client,
            spool,
            path: format!("/api/recordings/{}", spool.name()),
            sent: Sent::default(),
            piece: PIECE_BYTES,
            on_cancel: None,
            number: None,
        }
    }

    /// Of a recording that goes on: `cancel` ends it for the one who is named.
    #[must_use]
    pub fn on_cancel(mut self, cancel: impl FnOnce(Option<&str>) + Send + 'a) -> Self {
        self.on_cancel = Some(Box::new(cancel));
        self
    }

    /// Makes the recording known. Asks where to go on when it is known already.
    pub async fn begin(&mut self) -> Result<(), UploadError> {
        let begun = self
            .spool
            .begun()
            .map_err(|error| UploadError::Refused(error.to_string()))?;
        let body = json!({
            "id": begun.id,
            "kind": begun.kind,
            "playbook": shortened(&begun.playbook, MAX_PLAYBOOK_BYTES),
            "words": fitting(&begun.words),
            "folder": begun.folder,
            "machine": begun.machine,
            "started_at": begun.started_at,
        });
        let answer = answered(self.client.post("/api/recordings", body)).await?;
        self.take_offsets(&answer);
        self.number = answer["deployment"]["number"].as_i64();
        Ok(())
    }

    /// Sends what comes until `ended`, and whatever is left then.
    pub async fn follow(&mut self, ended: &CancellationToken) -> Result<(), UploadError> {
        let mut heard = Instant::now();
        while !ended.is_cancelled() {
            if self.send_news(false).await? {
                heard = Instant::now();
            } else if heard.elapsed() >= HEARTBEAT {
                self.send(Growing::Events, &[], false).await?;
                heard = Instant::now();
            }
            ended.run_until_cancelled(tokio::time::sleep(GATHER)).await;
        }
        self.send_rest().await
    }

    /// Sends all that is there, and the end if it has come. `false`: it goes on.
    pub async fn send_all(&mut self) -> Result<bool, UploadError> {
        let is_over = self.is_over();
        while self.send_news(false).await? {}
        if is_over {
            self.send_rest().await?;
        }
        Ok(is_over)
    }

    fn is_over(&self) -> bool {
        matches!(self.spool.exited(), Ok(Some(_))) || !self.spool.is_running()
    }

    /// What is left of both files, and how it ended.
    async fn send_rest(&mut self) -> Result<(), UploadError> {
        while self.send_news(false).await? {}
        self.send_news(true).await?;
        let exited = self.spool.exited().ok().flatten();
        let body = json!({
            "exit_code": exited.and_then(|exited| exited.exit_code),
            "signal": exited.and_then(|exited| exited.signal),
            "finished_at": exited.map(|exited| exited.finished_at),
        });
        answered(self.client.post(&format!("{}/finish", self.path), body)).await?;
        Ok(())
    }

    /// One piece of each file. `true`: the server has more than before.
    async fn send_news(&mut self, last: bool) -> Result<bool, UploadError> {
        let before = self.sent;
        let mut most = self.piece;
        loop {
            let bytes = self.read(Growing::Events, self.sent.events, most)?;
            let is_whole = bytes.len() < most;
            if bytes.is_empty() || (is_whole && !last && !bytes.contains(&b'\n')) {
                break;
            }
            let begin = self.sent.events;
            match self.send(Growing::Events, &bytes, last && is_whole).await {
                Err(error) if self.halves(most, &error) => {
                    most = self.piece;
                    continue;
                }
                sent => sent?,
            }
            if self.sent.events > begin || is_whole || most >= MAX_EVENT_BYTES {
                break;
            }
            // A line is longer than that.
            most *= 2;
        }
        loop {
            let bytes = self.read(Growing::Output, self.sent.output, self.piece)?;
            let is_whole = bytes.len() < self.piece;
            if bytes.is_empty() || (is_whole && !last && !bytes.contains(&b'\n')) {
                break;
            }
            match self.send(Growing::Output, &bytes, last && is_whole).await {
                Err(error) if self.halves(self.piece, &error) => {}
                sent => {
                    sent?;
                    break;
                }
            }
        }
        Ok(self.sent.events != before.events || self.sent.output != before.output)
    }

    /// Goes on with smaller pieces when one of `most` bytes is too large for a proxy; `false` when that is not it, or does not help.
    fn halves(&mut self, most: usize, error: &UploadError) -> bool {
        let UploadError::Passing(error) = error else {
            return false;
        };
        let is_too_large = refusal(error).is_some_and(|problem| problem.status == 413);
        // A longer piece was sent because a line is so long.
        if !is_too_large || most > self.piece || self.piece <= SMALLEST_PIECE {
            return false;
        }
        self.piece /= 2;
        true
    }

    fn read(&self, file: Growing, offset: u64, most: usize) -> Result<Vec<u8>, UploadError> {
        self.spool
            .read_from(file, offset, most)
            .map_err(|error| UploadError::Passing(error.into()))
    }

    async fn send(&mut self, file: Growing, bytes: &[u8], last: bool) -> Result<(), UploadError> {
        let mut beginnings = 0;
        let (mut offset, mut bytes) = match file {
            Growing::Events => (self.sent.events, bytes.to_vec()),
            Growing::Output => (self.sent.output, bytes.to_vec()),
        };
        let name = match file {
            Growing::Events => "events",
            Growing::Output => "output",
        };
        loop {
            let place = offset.to_string();
            let mut query = vec![("offset", place.as_str())];
            if last {
                query.push(("last", "true"));
            }
            let path = with_query(&format!("{}/{name}", self.path), &query);
            let sending = self.client.put_bytes(&path, std::mem::take(&mut bytes));
            let error = match timeout(ANSWER_LIMIT, sending).await {
                Ok(Ok(answer)) => {
                    self.take_offsets(&answer);
                    self.hear(&answer);
                    return Ok(());
                }
                Ok(Err(error)) => error,
                Err(_) => return Err(UploadError::Passing(anyhow::anyhow!("the server does not answer"))),
            };
            let lost_something =
                refusal(&error).is_some_and(|problem| ["offset_gap", "not_found"].contains(&problem.code.as_str()));
            if !lost_something || beginnings >= MOST_BEGINNINGS {
                return Err(sort(error));
            }
            // It was restored from a backup, or somebody deleted the deployment.
            beginnings += 1;
            self.begin().await?;
            offset = match file {
                Growing::Events => self.sent.events,
                Growing::Output => self.sent.output,
            };
            bytes = self.read(file, offset, self.piece)?;
        }
    }

    fn take_offsets(&mut self, answer: &Value) {
        self.sent = Sent {
            events: answer["spool_offset"].as_u64().unwrap_or(self.sent.events),
            output: answer["output_offset"].as_u64().unwrap_or(self.sent.output),
        };
    }

    fn hear(&mut self, answer: &Value) {
        if answer["cancel_requested"] == true
            && let Some(cancel) = self.on_cancel.take()
        {
            cancel(answer["cancel_requested_by"].as_str());
        }
    }
}

async fn answered(asking: impl Future<Output = anyhow::Result<Value>>) -> Result<Value, UploadError> {
    match timeout(ANSWER_LIMIT, asking).await {
        Ok(answer) => answer.map_err(sort),
        Err(_) => Err(UploadError::Passing(anyhow::anyhow!("the server does not answer"))),
    }
}

/// Whether there is any use in trying again: a role may still be given, a token renewed, a proxy mended.
fn sort(error: anyhow::Error) -> UploadError {
    match refusal(&error) {
        Some(problem) if FINAL.contains(&problem.code.as_str()) => UploadError::Refused(error.to_string()),
        _ => UploadError::Passing(error),
    }
}

/// What the server has against it.
fn refusal(error: &anyhow::Error) -> Option<&Problem> {
    let refused = error.chain().find_map(|cause| cause.downcast_ref::<Refused>());
    refused.map(|Refused(problem)| problem)
}

/// What was typed as far as the server takes it; nothing follows a word that was cut.
fn fitting(words: &[String]) -> Vec<String> {
    let (mut fitting, mut room) = (Vec::new(), MAX_TYPED_BYTES);
    for word in words.iter().take(MAX_TYPED_WORDS) {
        let shown = shortened(word, room);
        room -= shown.len();
        let is_whole = shown == *word;
        fitting.push(shown);
        if !is_whole {
            break;
        }
    }
    fitting
}

/// At most so many bytes of a text, with a mark where it was cut.
fn shortened(text: &str, most: usize) -> String {
    const MARK: &str = "…";
    if text.len() <= most {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most.saturating_sub(MARK.len()));
    if most < MARK.len() {
        return text[..end].to_owned();
    }
    format!("{}{MARK}", &text[..end])
}

/// The error and its causes in one line.
fn chain(error: &anyhow::Error) -> String {
    let mut causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    causes.dedup();
    causes.join(": ")
}

/// Sends one recording that nobody records any more, and removes it once it is all there. `None`: it goes on, or somebody else is at it.
pub async fn send_left(client: &Client, spool: &Spool) -> Result<Option<i64>, UploadError> {
    let held = spool
        .hold()
        .context("failed to lock the recording")
        .map_err(UploadError::Passing)?;
    let Some(_held) = held else { return Ok(None) };
    let mut upload = Upload::new(client, spool);
    upload.begin().await?;
    if !upload.send_all().await? {
        return Ok(None);
    }
    let number = upload.number;
    spool
        .remove()
        .context("failed to remove the recording")
        .map_err(UploadError::Passing)?;
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::StatusCode;

    fn sorted(status: u16, code: &str) -> UploadError {
        let status = StatusCode::from_u16(status).unwrap();
        sort(Refused(Problem::new(status, code, "no")).into())
    }

    #[test]
    fn only_what_never_changes_is_final() {
        for (status, code) in [
            (409, "recording_ended"),
            (403, "somebody_elses"),
            (422, "validation_failed"),
            (409, "conflict"),
        ] {
            assert!(
                matches!(sorted(status, code), UploadError::Refused(_)),
                "{status} {code}"
            );
        }
        for (status, code) in [
            (401, "unauthorized"),
            (403, "forbidden"),
            (302, "unreadable"),
            (404, "unreadable"),
            (408, "unreadable"),
            (413, "unreadable"),
            (422, "unreadable"),
            (503, "unavailable"),
        ] {
            assert!(
                matches!(sorted(status, code), UploadError::Passing(_)),
                "{status} {code}"
            );
        }
    }

    #[test]
    fn what_was_typed_is_cut_to_fit() {
        let words = vec!["ansible-playbook".to_owned(), "é".repeat(40_000), "x".to_owned()];
        let cut = fitting(&words);
        assert_eq!(cut.len(), 2);
        assert!(cut.iter().map(String::len).sum::<usize>() <= MAX_TYPED_BYTES);
        assert!(cut[1].ends_with("é…"));
        assert_eq!(fitting(&vec!["a".to_owned(); 2000]).len(), MAX_TYPED_WORDS);
        assert_eq!(shortened("abcé", 5), "abcé");
        assert_eq!(shortened("abcdé", 5), "ab…");
    }
}
