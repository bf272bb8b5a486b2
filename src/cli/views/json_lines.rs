//! What the stream says, one JSON object a line.

use crate::cli::{
    live::{Update, View},
    output,
};
use serde::Serialize;
use serde_json::value::RawValue;

/// Prints `{"type", "data"}` lines.
#[derive(Debug)]
pub struct JsonLines;

#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    data: &'a RawValue,
}

impl View for JsonLines {
    fn wants_events(&self) -> bool {
        true
    }

    fn update(&mut self, update: &Update, data: &str) -> anyhow::Result<()> {
        let kind = match update {
            Update::Deployment(_) => "deployment",
            Update::Servers(_) => "servers",
            Update::Events(_) => "events",
        };
        output::json_line(&Line {
            kind,
            data: serde_json::from_str(data)?,
        })
    }

    fn note(&mut self, text: &str) {
        output::say(text);
    }
}
