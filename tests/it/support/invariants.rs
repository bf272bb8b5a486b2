//! What holds for every deployment that has ended, whatever died on the way.

use admiral::{
    domain::{DeploymentId, RunId, deployment::DeploymentServer},
    events::{
        RunState, WireEvent,
        summary::{EndReason, RunEnd},
    },
    store::{Database, deployment_servers, deployments, runs},
};
use std::collections::BTreeMap;

/// Panics unless the deployment and its runs have ended, its positions have no gap, each run's events are there once and in order, every
/// row is the fold of its run's events, and the counts are those of the rows.
pub async fn check(database: &Database, id: DeploymentId) {
    let mut connection = database.acquire().await.expect("a connection");
    let deployment = deployments::get_deployment(&mut connection, id)
        .await
        .expect("the deployment");
    let name = format!("#{} ({})", deployment.number, deployment.name);
    assert!(
        deployment.status.is_final() && deployment.finished_at.is_some(),
        "{name} has not ended"
    );
    let events: Vec<(i64, Option<RunId>, String)> = sqlx::query_as(
        "SELECT position, run_id, payload::text FROM admiral.deployment_events WHERE deployment_id = $1 ORDER BY position",
    )
    .bind(id)
    .fetch_all(&mut *connection)
    .await
    .expect("its events");
    assert!(
        events
            .iter()
            .map(|(position, ..)| *position)
            .eq(1..=deployment.event_position),
        "{name}: positions up to {} have gaps or doubles",
        deployment.event_position
    );
    let rows = deployment_servers::changed_since(&mut connection, id, 0)
        .await
        .expect("its rows");
    for run in runs::list_runs(&mut connection, id).await.expect("its runs") {
        let (outcome, Some(_)) = (run.outcome.expect("an outcome"), run.finished_at) else {
            panic!("{name}: slice {} has not ended", run.slice)
        };
        let rows: BTreeMap<&str, &DeploymentServer> = rows
            .iter()
            .filter(|row| row.slice == run.slice)
            .map(|row| (row.host.as_str(), row))
            .collect();
        // Rows of the launch have an address; others were added by the playbook.
        let launched = rows
            .values()
            .filter(|row| row.address.is_some())
            .map(|row| row.host.clone());
        let mut state = RunState::new(launched);
        let mut last = 0;
        for (position, _, payload) in events.iter().filter(|(_, of, _)| *of == Some(run.id)) {
            let Ok(event) = WireEvent::from_line(payload) else {
                continue;
            };
            assert_eq!(
                event.seq,
                last + 1,
                "{name}: slice {} at position {position}",
                run.slice
            );
            last = event.seq;
            state.apply(&event);
        }
        let folded = state.clone();
        let reason = if outcome == admiral::domain::deployment::DeploymentStatus::Cancelled {
            EndReason::Cancelled
        } else {
            EndReason::Lost
        };
        let at = run.finished_at.expect("checked above");
        state.finish(&RunEnd {
            reason,
            exit_code: run.exit_code,
            signal: None,
            message: None,
            last_output: None,
            at,
        });
        assert!(
            state.hosts().map(|(host, _)| host.as_str()).eq(rows.keys().copied()),
            "{name}: slice {} has other rows than hosts",
            run.slice
        );
        for (host, expected) in state.hosts() {
            let row = rows[host.as_str()];
            let counters = &expected.counters;
            let stored = [
                row.ok,
                row.changed_count,
                row.failed,
                row.skipped,
                row.rescued,
                row.ignored,
                row.unreachable,
            ];
            let counted = [
                counters.ok,
                counters.changed,
                counters.failed,
                counters.skipped,
                counters.rescued,
                counters.ignored,
                counters.unreachable,
            ];
            assert_eq!(
                (row.status, stored, row.changed, &row.current_task, row.started_at),
                (
                    expected.status,
                    counted,
                    expected.changed(),
                    &expected.current_task,
                    expected.started_at
                ),
                "{name}: {host} of slice {} is not the fold of its events",
                run.slice
            );
            let as_folded = folded.host(host).expect("the same hosts");
            if as_folded.status.is_final() && as_folded.finished_at.is_some() {
                assert_eq!(
                    (row.finished_at, &row.error_message),
                    (as_folded.finished_at, &as_folded.error_message),
                    "{name}: {host} of slice {}",
                    run.slice
                );
            }
            assert!(
                row.finished_at.is_some() && row.position <= deployment.event_position,
                "{name}: {host}"
            );
        }
    }
    let count = |status: &str| rows.iter().filter(|row| row.status.as_str() == status).count() as i32;
    let counts = &deployment.counts;
    assert_eq!(
        (
            counts.total,
            [
                counts.success,
                counts.failed,
                counts.unreachable,
                counts.skipped,
                counts.cancelled
            ],
            [counts.pending, counts.running],
        ),
        (
            rows.len() as i32,
            ["success", "failed", "unreachable", "skipped", "cancelled"].map(count),
            [0, 0]
        ),
        "{name}: the counts are not those of the rows"
    );
}
