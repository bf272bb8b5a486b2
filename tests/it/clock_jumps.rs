//! Clocks that jump: the controller's own, and the one that Ansible's events are written by. Leases are the database's.

use crate::support::{fleet, stage::Stage};
use admiral::domain::{
    clock::{Clock, SystemClock},
    deployment::{DeploymentStatus, HostStatus},
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// Now eleven hours ahead, now thirteen behind.
struct JumpingClock(AtomicU32);

impl Clock for JumpingClock {
    fn now(&self) -> DateTime<Utc> {
        let ahead = self.0.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        SystemClock.now() + TimeDelta::hours(if ahead { 11 } else { -13 })
    }
}

#[tokio::test]
async fn a_run_ends_as_ever_while_the_clocks_jump() {
    let stage = Stage::set().await;
    let gate = stage.data.path().join("gate");
    let script = format!(
        r#"
        at() {{ printf '{{"v":1,"seq":%d,"ts":"%s","event":"%s"%s}}\n' "$1" "$2" "$3" "$4" >> "$ADMIRAL_EVENTS_PATH"; }}
        at 1 2026-01-02T15:00:00.000000Z runner_on_start ',"host":"web1","task":"t","task_id":"1"'
        at 2 2026-01-02T15:00:00.000000Z runner_on_start ',"host":"web2","task":"t","task_id":"1"'
        at 3 2026-01-02T03:00:00.000000Z runner_on_failed ',"host":"web1","task":"t","task_id":"1","result":{{"msg":"no"}}'
        until [ -e "{}" ]; do sleep 0.05; done
        at 4 2026-01-02T02:00:00.000000Z runner_on_ok ',"host":"web2","task":"t","task_id":"1"'
        at 5 2026-01-01T02:00:00.000000Z playbook_on_stats ',"stats":{{"web1":{{"failures":1}},"web2":{{"ok":1}}}}'
        exit 2
        "#,
        gate.display()
    );
    let launched = stage.launch(&script).await;
    let clock: Arc<dyn Clock> = Arc::new(JumpingClock(AtomicU32::new(0)));
    let lease = Duration::from_secs(6);
    let first = stage.worker_with(Arc::clone(&clock), |config| config.lease = lease);
    stage
        .until(launched, |_, rows| rows[0].status == HostStatus::Failed)
        .await;
    // Another machine's worker, with another idea of the time: it must not think that the run is lost.
    let second = stage.worker_with(clock, |config| {
        config.lease = lease;
        config.lost_after = Duration::from_secs(20);
        config.data_directory = stage.data.path().join("another machine");
    });
    let mut connection = stage.test.database.acquire().await.expect("a connection");
    let mut leases: Vec<(Option<uuid::Uuid>, Option<DateTime<Utc>>)> = Vec::new();
    while leases.len() < 6 {
        let lease = sqlx::query_as("SELECT owner, lease_expires_at FROM admiral.runs WHERE id = $1")
            .bind(launched.run_id)
            .fetch_one(&mut *connection)
            .await
            .expect("the run");
        if leases.last() != Some(&lease) {
            leases.push(lease);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(
        leases.iter().all(|(owner, _)| owner.is_some() && *owner == leases[0].0),
        "{leases:?}"
    );
    assert!(leases.is_sorted_by_key(|(_, expires)| *expires), "{leases:?}");
    fs::write(&gate, "").expect("opened");
    let (deployment, rows) = stage.until_end(launched).await;
    first.end().await;
    second.end().await;
    assert_eq!(deployment.status, DeploymentStatus::Failed);
    assert_eq!(
        deployment.message.as_deref(),
        Some("1 of 2 hosts failed"),
        "{deployment:#?}"
    );
    assert_eq!(
        (rows[0].status, rows[1].status),
        (HostStatus::Failed, HostStatus::Success)
    );
    for row in &rows {
        assert!(
            row.started_at.is_some() && row.started_at <= row.finished_at,
            "{row:#?}"
        );
    }
    let started = deployment.started_at.expect("started");
    let took = deployment.finished_at.expect("finished") - started;
    assert!(
        took >= TimeDelta::zero() && took < TimeDelta::hours(1),
        "by the database's clock: {took}"
    );
    let events = fleet::all_events(&stage.test.database, launched.id).await;
    let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
    assert_eq!(positions, (1..=7).collect::<Vec<_>>());
}
