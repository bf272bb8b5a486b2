//! The fold, by example.

use super::*;
use crate::{
    domain::deployment::{DeploymentStatus, Reason},
    events::summary::{EndReason, RunEnd},
};
use serde_json::json;

pub(super) fn event(seq: u64, name: &str, more: Value) -> WireEvent {
    let mut fields = json!({
        "v": 1, "seq": seq, "ts": format!("2026-01-02T03:04:{:02}Z", seq % 60), "event": name,
    });
    if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
        fields.extend(more);
    }
    WireEvent::from_line(&fields.to_string()).unwrap()
}

pub(super) fn fold(hosts: &[&str], events: &[(&str, Value)]) -> RunState {
    let mut state = RunState::new(hosts.iter().map(ToString::to_string));
    for (index, (name, more)) in events.iter().enumerate() {
        state.apply(&event(index as u64 + 1, name, more.clone()));
    }
    state
}

pub(super) fn end(reason: EndReason, exit_code: Option<i32>) -> RunEnd {
    let at = "2026-01-02T04:00:00Z".parse().unwrap();
    RunEnd {
        reason,
        exit_code,
        signal: None,
        message: None,
        last_output: None,
        at,
    }
}

#[test]
fn a_host_is_at_work_from_its_first_task() {
    let state = fold(
        &["a", "b"],
        &[(
            "runner_on_start",
            json!({"host": "a", "task": "Install\n it", "task_id": "t1"}),
        )],
    );
    let host = state.host("a").unwrap();
    assert_eq!(host.status, HostStatus::Running);
    assert_eq!(host.current_task.as_deref(), Some("Install it"));
    assert!(host.started_at.is_some() && host.finished_at.is_none());
    assert_eq!(state.host("b").unwrap().status, HostStatus::Pending);
    let counts = state.counts();
    assert_eq!((counts.total, counts.running, counts.pending), (2, 1, 1));
}

#[test]
fn results_count_as_ansible_counts_them() {
    let on = |more: Value| {
        let mut fields = json!({"host": "a"});
        if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
            fields.extend(more);
        }
        fields
    };
    let cases: Vec<(&str, Value, Counters, HostStatus)> = vec![
        (
            "runner_on_ok",
            on(json!({})),
            Counters {
                ok: 1,
                ..Counters::default()
            },
            HostStatus::Running,
        ),
        (
            "runner_on_ok",
            on(json!({"changed": true})),
            Counters {
                ok: 1,
                changed: 1,
                ..Counters::default()
            },
            HostStatus::Running,
        ),
        (
            "runner_on_ok",
            on(json!({"action": "ansible.builtin.include_tasks"})),
            Counters::default(),
            HostStatus::Running,
        ),
        (
            "runner_on_skipped",
            on(json!({})),
            Counters {
                skipped: 1,
                ..Counters::default()
            },
            HostStatus::Running,
        ),
        (
            "runner_on_skipped",
            on(json!({"action": "meta"})),
            Counters::default(),
            HostStatus::Running,
        ),
        (
            "runner_on_failed",
            on(json!({})),
            Counters {
                failed: 1,
                ..Counters::default()
            },
            HostStatus::Failed,
        ),
        (
            "runner_on_failed",
            on(json!({"ignore_errors": true, "changed": true})),
            Counters {
                ok: 1,
                ignored: 1,
                changed: 1,
                ..Counters::default()
            },
            HostStatus::Running,
        ),
        (
            "runner_on_unreachable",
            on(json!({})),
            Counters {
                unreachable: 1,
                ..Counters::default()
            },
            HostStatus::Unreachable,
        ),
        (
            "runner_on_unreachable",
            on(json!({"ignore_unreachable": true})),
            Counters {
                ok: 1,
                ignored: 1,
                ..Counters::default()
            },
            HostStatus::Running,
        ),
        (
            "runner_item_on_ok",
            on(json!({"changed": true})),
            Counters::default(),
            HostStatus::Pending,
        ),
        (
            "runner_item_on_failed",
            on(json!({})),
            Counters::default(),
            HostStatus::Pending,
        ),
        ("runner_retry", on(json!({})), Counters::default(), HostStatus::Pending),
        (
            "runner_on_async_poll",
            on(json!({})),
            Counters::default(),
            HostStatus::Pending,
        ),
        (
            "playbook_on_include",
            json!({"data": {"hosts": ["a"]}}),
            Counters {
                ok: 1,
                ..Counters::default()
            },
            HostStatus::Pending,
        ),
        (
            "something_new",
            on(json!({"v": 9})),
            Counters::default(),
            HostStatus::Pending,
        ),
    ];
    for (name, more, counters, status) in cases {
        let state = fold(&["a"], &[(name, more.clone())]);
        let host = state.host("a").unwrap();
        assert_eq!((host.counters, host.status), (counters, status), "{name} {more}");
    }
}

#[test]
fn the_first_error_is_told_on_one_line() {
    let long = "x".repeat(5000);
    let cases = [
        (json!({"msg": "no\n  luck"}), "no luck".to_owned()),
        (json!({"msg": ["a", 1]}), r#"["a",1]"#.to_owned()),
        (
            json!({"msg": "non-zero return code", "rc": 3, "stderr": "boom\n"}),
            "non-zero return code: boom".to_owned(),
        ),
        (json!({"msg": "", "stderr": "boom"}), "boom".to_owned()),
        (
            json!({"censored": "the output has been hidden", "msg": "s3cret"}),
            "the output has been hidden".to_owned(),
        ),
        (json!({"rc": 7}), "return code 7".to_owned()),
        (json!({}), "the task failed".to_owned()),
        (json!({"msg": "nul\u{0}l"}), "null".to_owned()),
        (json!({"msg": long}), format!("{}…", "x".repeat(MAX_MESSAGE_CHARS - 1))),
    ];
    for (result, expected) in cases {
        let state = fold(
            &["a"],
            &[
                ("runner_on_failed", json!({"host": "a", "result": result})),
                (
                    "runner_on_failed",
                    json!({"host": "a", "result": {"msg": "a later one"}}),
                ),
            ],
        );
        assert_eq!(state.host("a").unwrap().error_message, Some(expected));
    }
}

#[test]
fn a_changed_host_key_is_told_in_plain_words() {
    let result = json!({"msg": "Failed to connect to the host via ssh: @@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@@"});
    let state = fold(
        &["web1"],
        &[("runner_on_unreachable", json!({"host": "web1", "result": result}))],
    );
    assert_eq!(
        state.host("web1").unwrap().error_message.as_deref(),
        Some("the SSH host key of web1 changed; accept it under Servers → web1 if that is expected")
    );
}

#[test]
fn the_recap_has_the_last_word() {
    let failed = |message: &str| {
        (
            "runner_on_failed",
            json!({"host": "a", "task": "t", "result": {"msg": message}}),
        )
    };
    let stats = |counts: Value| ("playbook_on_stats", json!({"stats": {"a": counts, "added": {"ok": 2}}}));
    let state = fold(
        &["a", "b"],
        &[failed("first"), stats(json!({"ok": 3, "rescued": 1, "changed": 1}))],
    );
    let host = state.host("a").unwrap();
    assert_eq!(host.status, HostStatus::Success);
    assert_eq!(
        host.counters,
        Counters {
            ok: 3,
            rescued: 1,
            changed: 1,
            ..Counters::default()
        }
    );
    assert_eq!(
        (host.error_message.as_deref(), host.current_task.as_deref()),
        (None, None)
    );
    assert_eq!(state.host("added").unwrap().status, HostStatus::Success);
    assert_eq!(state.host("b").unwrap().status, HostStatus::Pending);

    let state = fold(
        &["a"],
        &[
            failed("rescued"),
            failed("fatal"),
            stats(json!({"rescued": 1, "failures": 1})),
        ],
    );
    let host = state.host("a").unwrap();
    assert_eq!(
        (host.status, host.error_message.as_deref()),
        (HostStatus::Failed, Some("fatal"))
    );

    for (counts, status) in [
        (json!({"failures": 1, "unreachable": 1, "ok": 1}), HostStatus::Failed),
        (json!({"unreachable": 1, "ok": 1}), HostStatus::Unreachable),
        (json!({"skipped": 4}), HostStatus::Skipped),
        (json!({}), HostStatus::Skipped),
        (json!({"skipped": 1, "ok": 1}), HostStatus::Success),
        (json!({"rescued": 1}), HostStatus::Success),
    ] {
        let state = fold(&["a"], &[stats(counts.clone())]);
        assert_eq!(state.host("a").unwrap().status, status, "{counts}");
    }
}

#[test]
fn tasks_and_troubles_are_told_once() {
    let mut state = RunState::new([]);
    let task = json!({"task_id": "t1", "task": "Install", "play": "p", "action": "copy", "path": "a.yml:3"});
    let seen = state.apply(&event(1, "playbook_on_task_start", task.clone())).unwrap();
    assert_eq!((seen.task_id.as_str(), seen.task.as_deref()), ("t1", Some("Install")));
    assert_eq!(state.apply(&event(2, "runner_on_start", task)), None);
    state.apply(&event(
        3,
        "admiral_plugin_error",
        json!({"data": {"message": "disk full"}}),
    ));
    assert_eq!(
        state.take_changes().warnings,
        ["the callback plugin met trouble: disk full"]
    );
    assert_eq!(state.take_changes(), Changes::default());
}

/// Events, how the run ended, its exit code; the outcome with a part of its message.
type Row = (
    Vec<(&'static str, Value)>,
    EndReason,
    Option<i32>,
    (DeploymentStatus, Option<Reason>, &'static str),
);

#[test]
fn a_run_ends_in_words() {
    let ok = || ("playbook_on_stats", json!({"stats": {"a": {"ok": 1}, "b": {"ok": 1}}}));
    let bad = || {
        (
            "playbook_on_stats",
            json!({"stats": {"a": {"failures": 1}, "b": {"unreachable": 1}}}),
        )
    };
    let lost = || {
        (
            "playbook_on_stats",
            json!({"stats": {"a": {"ok": 1}, "b": {"unreachable": 1}}}),
        )
    };
    let start = || ("runner_on_start", json!({"host": "a"}));
    let completed = (DeploymentStatus::Completed, None, "");
    let failed = |reason, message| (DeploymentStatus::Failed, Some(reason), message);
    let table: Vec<Row> = vec![
        (vec![start(), ok()], EndReason::Finished, Some(0), completed),
        (
            vec![ok()],
            EndReason::Finished,
            Some(1),
            failed(Reason::PlaybookError, "no host failed, yet"),
        ),
        (
            vec![bad()],
            EndReason::Finished,
            Some(2),
            failed(Reason::HostsFailed, "1 of 2 hosts failed, 1 of 2 hosts unreachable"),
        ),
        (
            vec![bad()],
            EndReason::Finished,
            Some(0),
            failed(Reason::HostsFailed, "1 of 2 hosts failed"),
        ),
        (
            vec![lost()],
            EndReason::Finished,
            Some(4),
            failed(Reason::HostsUnreachable, "1 of 2 hosts unreachable"),
        ),
        (
            vec![],
            EndReason::Finished,
            Some(0),
            failed(Reason::PlaybookError, "callback plugin did not load"),
        ),
        (
            vec![],
            EndReason::Finished,
            Some(4),
            failed(Reason::PlaybookError, "cannot read (exit code 4) before its recap"),
        ),
        (
            vec![],
            EndReason::Finished,
            Some(5),
            failed(Reason::LaunchError, "refused its options"),
        ),
        (
            vec![start()],
            EndReason::Finished,
            Some(0),
            failed(Reason::PlaybookError, "before its recap"),
        ),
        (
            vec![start()],
            EndReason::Finished,
            Some(250),
            failed(Reason::PlaybookError, "unexpected exception"),
        ),
        (
            vec![start()],
            EndReason::Finished,
            None,
            failed(Reason::PlaybookError, "disappeared before its recap"),
        ),
        (
            vec![start()],
            EndReason::TimedOut,
            Some(99),
            failed(Reason::TimedOut, "longer than its timeout"),
        ),
        (
            vec![start()],
            EndReason::Lost,
            None,
            failed(Reason::WorkerLost, "supervisor disappeared"),
        ),
        (vec![ok()], EndReason::Lost, None, completed),
        (
            vec![bad()],
            EndReason::Lost,
            None,
            failed(Reason::HostsFailed, "1 of 2 hosts failed"),
        ),
        (
            vec![],
            EndReason::SpawnFailed,
            None,
            failed(Reason::LaunchError, "could not be started"),
        ),
        (
            vec![start()],
            EndReason::Cancelled,
            Some(99),
            (
                DeploymentStatus::Cancelled,
                Some(Reason::CancelledByUser),
                "cancelled; 2 of 2 hosts had not finished",
            ),
        ),
    ];
    for (events, reason, exit_code, (status, why, message)) in table {
        let mut state = fold(&["a", "b"], &events);
        let outcome = state.finish(&end(reason, exit_code));
        let shown = outcome.message.clone().unwrap_or_default();
        assert_eq!(
            (outcome.status, outcome.reason),
            (status, why),
            "{events:?} {reason:?} {exit_code:?} {shown}"
        );
        assert!(shown.contains(message), "{shown:?} lacks {message:?}");
        assert!(
            state
                .hosts()
                .all(|(_, host)| host.status.is_final() && host.finished_at.is_some()),
            "{events:?}"
        );
    }
}

#[test]
fn unfinished_hosts_end_with_their_run() {
    use HostStatus::{Cancelled, Failed, Skipped, Success};
    let hosts = ["done", "failed", "working", "waiting"];
    let events = [
        ("runner_on_failed", json!({"host": "failed", "result": {"msg": "boom"}})),
        ("runner_on_start", json!({"host": "working", "task": "t"})),
    ];
    let statuses = |reason, with_stats: bool| {
        let mut events = events.to_vec();
        if with_stats {
            let stats = json!({"stats": {"done": {"ok": 1}, "failed": {"failures": 1}}});
            events.push(("playbook_on_stats", stats));
        }
        let mut state = fold(&hosts, &events);
        state.finish(&end(reason, Some(2)));
        hosts.map(|host| state.host(host).unwrap().status)
    };
    assert_eq!(statuses(EndReason::Finished, true), [Success, Failed, Skipped, Skipped]);
    assert_eq!(
        statuses(EndReason::Finished, false),
        [Cancelled, Failed, Failed, Cancelled]
    );
    assert_eq!(
        statuses(EndReason::TimedOut, false),
        [Cancelled, Failed, Failed, Cancelled]
    );
    assert_eq!(statuses(EndReason::Lost, false), [Cancelled, Failed, Failed, Cancelled]);
    assert_eq!(
        statuses(EndReason::Cancelled, false),
        [Cancelled, Failed, Cancelled, Cancelled]
    );
}
