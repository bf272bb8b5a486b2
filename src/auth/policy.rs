//! What a role may do. Pure: one table, walked by the tests.

use crate::domain::user::Role;

/// What a request wants to do. Every endpoint that needs somebody to be signed in asks for one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// See servers, host keys, and the public side of private keys.
    ReadFleet,
    /// Add, change and delete servers, host keys and private keys.
    ChangeFleet,
    /// See the playbook library and what is in it.
    ReadPlaybooks,
    /// Change packages, projects, forms, presets, environments and vault passwords.
    EditPlaybooks,
    /// See deployments, their rows, events and output.
    ReadDeployments,
    /// Launch or retry a deployment.
    Launch,
    /// Launch or retry a deployment that may change the machine that it runs on.
    OpenController,
    /// Record what one's own shell runs.
    Record,
    /// Cancel a deployment.
    CancelDeployment,
    /// See and change users; make sign-in links; see and revoke other people's tokens.
    ManageUsers,
    /// See, make and revoke one's own tokens.
    OwnTokens,
    /// See one's own session.
    OwnSession,
    /// See the audit log.
    ReadAudit,
    /// See what holds for the whole installation.
    ReadSettings,
    /// Change what holds for the whole installation.
    ChangeSettings,
    /// Read the figures for Prometheus.
    ReadMetrics,
    /// Have a worker claim nothing more, or again.
    DrainWorker,
}

impl Action {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::ReadFleet,
        Self::ChangeFleet,
        Self::ReadPlaybooks,
        Self::EditPlaybooks,
        Self::ReadDeployments,
        Self::Launch,
        Self::OpenController,
        Self::Record,
        Self::CancelDeployment,
        Self::ManageUsers,
        Self::OwnTokens,
        Self::OwnSession,
        Self::ReadAudit,
        Self::ReadSettings,
        Self::ChangeSettings,
        Self::ReadMetrics,
        Self::DrainWorker,
    ];

    /// The name in the audit log and in a refusal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadFleet => "fleet.read",
            Self::ChangeFleet => "fleet.change",
            Self::ReadPlaybooks => "playbook.read",
            Self::EditPlaybooks => "playbook.edit",
            Self::ReadDeployments => "deployment.read",
            Self::Launch => "deployment.launch",
            Self::OpenController => "controller.open",
            Self::Record => "deployment.record",
            Self::CancelDeployment => "deployment.cancel",
            Self::ManageUsers => "user.manage",
            Self::OwnTokens => "token.own",
            Self::OwnSession => "session.own",
            Self::ReadAudit => "audit.read",
            Self::ReadSettings => "settings.read",
            Self::ChangeSettings => "settings.change",
            Self::ReadMetrics => "metrics.read",
            Self::DrainWorker => "worker.drain",
        }
    }
}

/// Whether `role` may do `action`.
pub const fn allows(role: Role, action: Action) -> bool {
    match action {
        Action::ReadFleet
        | Action::ReadPlaybooks
        | Action::ReadDeployments
        | Action::OwnTokens
        | Action::OwnSession
        | Action::ReadSettings
        | Action::ReadMetrics => true,
        Action::ChangeFleet | Action::EditPlaybooks | Action::Launch | Action::Record | Action::CancelDeployment => {
            matches!(role, Role::Admin | Role::Operator)
        }
        Action::ReadAudit => matches!(role, Role::Admin | Role::Auditor),
        Action::ManageUsers | Action::ChangeSettings | Action::DrainWorker | Action::OpenController => {
            matches!(role, Role::Admin)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_the_product_says() {
        let table = [
            (Role::Admin, Action::ALL.to_vec()),
            (
                Role::Operator,
                vec![
                    Action::ReadFleet,
                    Action::ChangeFleet,
                    Action::ReadPlaybooks,
                    Action::EditPlaybooks,
                    Action::ReadDeployments,
                    Action::Launch,
                    Action::Record,
                    Action::CancelDeployment,
                    Action::OwnTokens,
                    Action::OwnSession,
                    Action::ReadSettings,
                    Action::ReadMetrics,
                ],
            ),
            (
                Role::Viewer,
                vec![
                    Action::ReadFleet,
                    Action::ReadPlaybooks,
                    Action::ReadDeployments,
                    Action::OwnTokens,
                    Action::OwnSession,
                    Action::ReadSettings,
                    Action::ReadMetrics,
                ],
            ),
            (
                Role::Auditor,
                vec![
                    Action::ReadFleet,
                    Action::ReadPlaybooks,
                    Action::ReadDeployments,
                    Action::OwnTokens,
                    Action::OwnSession,
                    Action::ReadAudit,
                    Action::ReadSettings,
                    Action::ReadMetrics,
                ],
            ),
        ];
        assert_eq!(table.len(), Role::ALL.len());
        for (role, allowed) in table {
            for action in Action::ALL {
                assert_eq!(allows(role, *action), allowed.contains(action), "{role} {action:?}");
            }
        }
    }
}
