//! Slices in words: two of them may have a host of the same name, `localhost` above all.

use super::output::printable;
use crate::domain::deployment::{Deployment, DeploymentServer, WaitedFor};

/// How many slices a deployment has.
pub fn count(deployment: &Deployment) -> i32 {
    // There are never more than hosts.
    deployment.options.slices.min(deployment.counts.total).max(1)
}

/// What people call a slice: they count from one.
pub fn name(slice: i32, slices: i32) -> String {
    format!("slice {} of {slices}", slice + 1)
}

/// A row's host. One that the playbook added itself is told apart by its slice.
pub fn host_label(row: &DeploymentServer, slices: i32) -> String {
    let host = printable(&row.host);
    if slices > 1 && row.server_id.is_none() {
        format!("{host} (slice {})", row.slice + 1)
    } else {
        host
    }
}

/// Whom a deployment waits for; `None` when it is for nobody.
pub fn waiting_for(deployments: &[WaitedFor]) -> Option<String> {
    let names: Vec<String> = deployments
        .iter()
        .map(|other| format!("#{} {}", other.number, printable(&other.name)))
        .collect();
    (!names.is_empty()).then(|| format!("waiting for {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_are_waited_for_are_named() {
        let other = |number, name: &str| WaitedFor {
            id: uuid::Uuid::nil(),
            number,
            name: name.to_owned(),
        };
        assert_eq!(waiting_for(&[]), None);
        assert_eq!(
            waiting_for(&[other(12, "Ping"), other(13, "a\nb")]).as_deref(),
            Some("waiting for #12 Ping, #13 a·b")
        );
    }
}
