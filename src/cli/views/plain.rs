//! Lines like Ansible's own, for pipes and logs.

use crate::cli::{
    live::{Update, View},
    output::{self, printable},
    recap, slices,
};
use serde_json::Value;

/// Prints a line for each event that matters.
#[derive(Debug, Default)]
pub struct Plain {
    introduced: bool,
    /// What was last said about the wait.
    waiting: Option<String>,
    slices: i32,
}

impl View for Plain {
    fn wants_events(&self) -> bool {
        true
    }

    fn update(&mut self, update: &Update, _data: &str) -> anyhow::Result<()> {
        match update {
            Update::Deployment(deployment) => {
                if !self.introduced {
                    self.introduced = true;
                    let (number, name) = (deployment.number, printable(&deployment.name));
                    output::line(&format!(
                        "deployment #{number} {name} on {} hosts",
                        deployment.counts.total
                    ))?;
                }
                self.slices = slices::count(deployment);
                if deployment.started_at.is_none() && !deployment.status.is_final() {
                    let waiting = slices::waiting_for(&deployment.waiting_for)
                        .unwrap_or_else(|| "waiting for a worker".to_owned());
                    if self.waiting.as_ref() != Some(&waiting) {
                        output::line(&waiting)?;
                        self.waiting = Some(waiting);
                    }
                }
            }
            Update::Servers(_) => {}
            Update::Events(events) => {
                for line in events.iter().filter_map(|event| event_line(event, self.slices)) {
                    output::line(&line)?;
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, text: &str) {
        output::say(text);
    }
}

/// What an event reads like; `None` for those that say nothing new: whom a deployment waits for, it says itself. With several slices each line says whose it is.
pub fn event_line(event: &Value, slices: i32) -> Option<String> {
    let payload = &event["payload"];
    let field = |name: &str| printable(payload[name].as_str().unwrap_or_default());
    let number = |value: &Value| value.as_i64().and_then(|slice| i32::try_from(slice).ok());
    let of_slice = match number(&event["slice"]) {
        Some(slice) if slices > 1 => format!(" (slice {})", slice + 1),
        _ => String::new(),
    };
    let heading = |text: String| Some(format!("\n{}", recap::heading(&format!("{text}{of_slice}"))));
    let run = || number(&payload["slice"]).map(|slice| slices::name(slice, slices));
    let host = format!("{}{of_slice}", printable(event["host"].as_str().unwrap_or_default()));
    let label = match payload["item"].as_str() {
        Some(item) => format!("[{host}] => (item={})", printable(item)),
        None => format!("[{host}]"),
    };
    match event["kind"].as_str()? {
        "playbook_on_play_start" => heading(format!("PLAY [{}]", field("play"))),
        "playbook_on_task_start" => heading(format!("TASK [{}]", task(payload))),
        "playbook_on_handler_task_start" => heading(format!("RUNNING HANDLER [{}]", task(payload))),
        // A loop's items were lines of their own.
        "runner_on_ok" | "runner_on_skipped" if payload["loop"] == true => None,
        "runner_on_ok" | "runner_item_on_ok" => {
            let word = if payload["changed"] == true { "changed" } else { "ok" };
            Some(format!("{word}: {label}"))
        }
        "runner_on_skipped" | "runner_item_on_skipped" => Some(format!("skipping: {label}")),
        "runner_on_failed" | "runner_item_on_failed" => {
            let ignored = if payload["ignore_errors"] == true {
                " ...ignoring"
            } else {
                ""
            };
            Some(format!("fatal: {label}: FAILED! => {}{ignored}", message(payload)))
        }
        "runner_on_unreachable" => Some(format!("fatal: {label}: UNREACHABLE! => {}", message(payload))),
        "runner_retry" => {
            let (attempts, retries) = (&payload["data"]["attempts"], &payload["data"]["retries"]);
            Some(format!("FAILED - RETRYING: {label}: attempt {attempts} of {retries}"))
        }
        "cancel_requested" => Some(format!("\ncancelling, as {} asked", field("by"))),
        "run_started" => Some(format!("{} began", run()?)),
        "run_finished" => {
            let how = match payload["message"].as_str() {
                Some(message) => format!("{} ({})", field("status"), printable(message)),
                None => field("status"),
            };
            Some(format!("\n{} ended: {how}", run()?))
        }
        "warning" => Some(format!("[WARNING]: {}", field("message"))),
        "playbook_on_no_hosts_matched" => Some("skipping: no hosts matched".to_owned()),
        // Of "deployment_waiting" the deployment itself tells.
        _ => None,
    }
}

fn task(payload: &Value) -> String {
    let name = payload["task"]
        .as_str()
        .or(payload["action"].as_str())
        .unwrap_or_default();
    match payload["role"].as_str() {
        Some(role) if !name.starts_with(role) => printable(&format!("{role} : {name}")),
        _ => printable(name),
    }
}

fn message(payload: &Value) -> String {
    let result = &payload["result"];
    let text = ["msg", "stderr", "stdout", "censored"]
        .iter()
        .find_map(|name| result[*name].as_str().filter(|text| !text.is_empty()));
    match text {
        Some(text) => printable(text.trim_end()),
        None => printable(&result.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(kind: &str, host: Option<&str>, payload: Value) -> Option<String> {
        event_line(&json!({"kind": kind, "host": host, "slice": 0, "payload": payload}), 1)
    }

    #[test]
    fn results_read_like_ansibles() {
        assert_eq!(
            line("runner_on_ok", Some("web1"), json!({"changed": true})).unwrap(),
            "changed: [web1]"
        );
        assert_eq!(
            line("runner_on_ok", Some("web1"), json!({"changed": false})).unwrap(),
            "ok: [web1]"
        );
        assert_eq!(
            line("runner_item_on_ok", Some("a"), json!({"item": "x"})).unwrap(),
            "ok: [a] => (item=x)"
        );
        assert_eq!(line("runner_on_ok", Some("a"), json!({"loop": true})), None);
        assert_eq!(
            line(
                "runner_on_failed",
                Some("a"),
                json!({"result": {"msg": "no\nroom"}, "ignore_errors": true})
            )
            .unwrap(),
            "fatal: [a]: FAILED! => no·room ...ignoring"
        );
        assert_eq!(
            line(
                "runner_on_unreachable",
                Some("a"),
                json!({"result": {"msg": "timed out"}})
            )
            .unwrap(),
            "fatal: [a]: UNREACHABLE! => timed out"
        );
    }

    #[test]
    fn headings_name_the_role() {
        let heading = line(
            "playbook_on_task_start",
            None,
            json!({"task": "install", "role": "nginx"}),
        )
        .unwrap();
        assert!(heading.starts_with("\nTASK [nginx : install] ****"), "{heading}");
    }

    #[test]
    fn slices_are_told_apart() {
        let line = |kind: &str, slice: Option<i32>, payload: Value| {
            event_line(
                &json!({"kind": kind, "host": "localhost", "slice": slice, "payload": payload}),
                2,
            )
            .unwrap()
        };
        assert_eq!(line("runner_on_ok", Some(1), json!({})), "ok: [localhost (slice 2)]");
        assert!(line("playbook_on_play_start", Some(0), json!({"play": "p"})).contains("PLAY [p] (slice 1) ***"));
        assert_eq!(line("run_started", None, json!({"slice": 1})), "slice 2 of 2 began");
        assert_eq!(
            line(
                "run_finished",
                None,
                json!({"slice": 0, "status": "failed", "message": "1 of 2 hosts failed"})
            ),
            "\nslice 1 of 2 ended: failed (1 of 2 hosts failed)"
        );
    }

    #[test]
    fn unknown_kinds_say_nothing() {
        assert_eq!(line("something_new", Some("a"), json!({})), None);
    }
}
