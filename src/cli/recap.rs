//! The end of a deployment: Ansible's own recap, and one sentence.

use super::{client::Client, live, output, slices};
use crate::domain::deployment::{Deployment, DeploymentServer, DeploymentStatus, HostCounts, HostStatus};
use chrono::{DateTime, Utc};

/// Prints the recap of an ended deployment.
pub async fn print(client: &Client, deployment: &Deployment) -> anyhow::Result<()> {
    let path = format!("/api/deployments/{}/servers", deployment.id);
    let rows = live::insist(async || client.list(&path, &[]).await).await?;
    let rows: Vec<DeploymentServer> = rows
        .into_iter()
        .map(serde_json::from_value)
        .collect::<Result<_, serde_json::Error>>()?;
    output::line("")?;
    output::line(&recap(&rows, slices::count(deployment)))?;
    for warning in &deployment.warnings {
        output::line(&format!("[WARNING]: {}", output::printable(warning)))?;
    }
    output::line("")?;
    output::line(&sentence(deployment))?;
    Ok(())
}

/// One line a host, as Ansible prints it.
pub fn recap(rows: &[DeploymentServer], slices: i32) -> String {
    let mut lines = vec![heading("PLAY RECAP")];
    let labels: Vec<String> = rows.iter().map(|row| slices::host_label(row, slices)).collect();
    let widest = labels
        .iter()
        .map(|label| label.chars().count())
        .max()
        .unwrap_or(0)
        .max(24);
    for (row, label) in rows.iter().zip(&labels) {
        let mut line = format!(
            "{:widest$} : ok={:<4} changed={:<4} unreachable={:<4} failed={:<4} skipped={:<4} rescued={:<4} ignored={:<4}",
            label, row.ok, row.changed_count, row.unreachable, row.failed, row.skipped, row.rescued, row.ignored,
        );
        line.truncate(line.trim_end().len());
        lines.push(line);
        if matches!(row.status, HostStatus::Failed | HostStatus::Unreachable)
            && let Some(message) = &row.error_message
        {
            lines.push(format!("    {}: {}", row.status, output::printable(message)));
        }
    }
    lines.join("\n")
}

/// A heading as Ansible draws it.
pub fn heading(text: &str) -> String {
    format!(
        "{text} {}",
        "*".repeat(79_usize.saturating_sub(text.chars().count()).max(3))
    )
}

/// How it ended, in one sentence.
pub fn sentence(deployment: &Deployment) -> String {
    let counts = counts_in_words(&deployment.counts);
    let took = match (deployment.started_at, deployment.finished_at) {
        (Some(started), Some(finished)) => format!(" in {}", duration(started, finished)),
        _ => String::new(),
    };
    let how = match deployment.status {
        DeploymentStatus::Completed => "completed".to_owned(),
        status => match &deployment.message {
            Some(message) => format!("{status} ({})", output::printable(message)),
            None => status.to_string(),
        },
    };
    format!("deployment #{} {how}{took}: {counts}", deployment.number)
}

/// `5 hosts: 4 success, 1 failed, 3 changed`.
pub fn counts_in_words(counts: &HostCounts) -> String {
    let kinds = [
        (counts.success, "success"),
        (counts.failed, "failed"),
        (counts.unreachable, "unreachable"),
        (counts.skipped, "skipped"),
        (counts.cancelled, "cancelled"),
        (counts.running, "running"),
        (counts.pending, "pending"),
        (counts.changed, "changed"),
    ];
    let parts: Vec<_> = kinds
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    let hosts = if counts.total == 1 { "host" } else { "hosts" };
    if parts.is_empty() {
        format!("{} {hosts}", counts.total)
    } else {
        format!("{} {hosts}, {}", counts.total, parts.join(", "))
    }
}

/// `4.2 s`, `3 min 5 s`, `2 h 1 min`.
pub fn duration(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let milliseconds = (to - from).num_milliseconds().max(0);
    let seconds = milliseconds / 1000;
    match seconds {
        0..=59 => format!("{}.{} s", seconds, milliseconds % 1000 / 100),
        60..=3599 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(host: &str, status: HostStatus) -> DeploymentServer {
        DeploymentServer {
            slice: 0,
            host: host.to_owned(),
            server_id: None,
            address: None,
            status,
            changed: true,
            ok: 12,
            changed_count: 3,
            failed: i32::from(status == HostStatus::Failed),
            skipped: 1,
            rescued: 0,
            ignored: 0,
            unreachable: 0,
            current_task: None,
            error_message: (status == HostStatus::Failed).then(|| "no\u{1b}[2Jspace".to_owned()),
            started_at: None,
            finished_at: None,
            position: 1,
        }
    }

    #[test]
    fn the_recap_is_ansibles() {
        let text = recap(&[row("web1", HostStatus::Success), row("db1", HostStatus::Failed)], 1);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("PLAY RECAP *****"));
        assert_eq!(
            lines[1],
            "web1                     : ok=12   changed=3    unreachable=0    failed=0    skipped=1    rescued=0    ignored=0"
        );
        assert_eq!(lines[3], "    failed: no·[2Jspace");
    }

    #[test]
    fn hosts_that_two_slices_added_are_told_apart() {
        let second = DeploymentServer {
            slice: 1,
            ..row("localhost", HostStatus::Success)
        };
        let of_a_server = DeploymentServer {
            server_id: Some(uuid::Uuid::nil()),
            ..row("web1", HostStatus::Success)
        };
        let text = recap(&[row("localhost", HostStatus::Success), second, of_a_server], 2);
        let hosts: Vec<_> = text
            .lines()
            .skip(1)
            .map(|line| line.split(" :").next().unwrap().trim())
            .collect();
        assert_eq!(hosts, ["localhost (slice 1)", "localhost (slice 2)", "web1"]);
    }

    #[test]
    fn durations_read_well() {
        let at = |milliseconds: i64| DateTime::from_timestamp_millis(milliseconds).unwrap();
        assert_eq!(duration(at(0), at(4_250)), "4.2 s");
        assert_eq!(duration(at(0), at(185_000)), "3 min 5 s");
        assert_eq!(duration(at(0), at(7_260_000)), "2 h 1 min");
        assert_eq!(duration(at(9), at(0)), "0.0 s");
    }

    #[test]
    fn counts_leave_zeros_out() {
        let counts = HostCounts {
            total: 5,
            success: 4,
            failed: 1,
            changed: 3,
            ..HostCounts::default()
        };
        assert_eq!(counts_in_words(&counts), "5 hosts, 4 success, 1 failed, 3 changed");
        assert_eq!(
            counts_in_words(&HostCounts {
                total: 1,
                ..HostCounts::default()
            }),
            "1 host"
        );
    }
}
