//! What a role may do. Pure: one table, walked by the tests.

use crate::domain::{text_enum::text_enum, user::Role};

text_enum! {
    /// Something that a role may allow. Every endpoint that is not open to everybody names one of these as its `x-permission` in the OpenAPI
    /// document. Refusals and the audit log name it too.
    Action {
        /// See servers, host keys, and the public side of private keys.
        ReadFleet = "fleet.read",
        /// Add, change and delete servers, host keys and private keys.
        ChangeFleet = "fleet.change",
        /// See the playbook library and what is in it.
        ReadPlaybooks = "playbook.read",
        /// Change packages, projects, forms, presets, environments and vault passwords.
        EditPlaybooks = "playbook.edit",
        /// See deployments, their rows, events and output.
        ReadDeployments = "deployment.read",
        /// Launch or retry a deployment.
        Launch = "deployment.launch",
        /// Launch or retry a deployment that may change the machine that it runs on.
        OpenController = "controller.open",
        /// Record what one's own shell runs.
        Record = "deployment.record",
        /// Cancel a deployment.
        CancelDeployment = "deployment.cancel",
        /// See and change users; make sign-in links; see and revoke other people's tokens.
        ManageUsers = "user.manage",
        /// See, make and revoke one's own tokens.
        OwnTokens = "token.own",
        /// See and end one's own sessions.
        OwnSession = "session.own",
        /// Change one's own password.
        OwnPassword = "password.own",
        /// See the audit log.
        ReadAudit = "audit.read",
        /// See what holds for the whole installation.
        ReadSettings = "settings.read",
        /// Change what holds for the whole installation.
        ChangeSettings = "settings.change",
        /// Read the figures for Prometheus.
        ReadMetrics = "metrics.read",
        /// Have a worker claim nothing more, or again.
        DrainWorker = "worker.drain",
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
        | Action::OwnPassword
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

/// The role that allows exactly what both roles allow.
pub const fn common(one: Role, other: Role) -> Role {
    match (one, other) {
        (Role::Admin, role) | (role, Role::Admin) => role,
        (Role::Operator, Role::Operator) => Role::Operator,
        (Role::Auditor, Role::Auditor) => Role::Auditor,
        _ => Role::Viewer,
    }
}

/// Whether `role` allows nothing that `limit` does not.
pub fn is_within(role: Role, limit: Role) -> bool {
    common(role, limit) == role
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
                    Action::OwnPassword,
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
                    Action::OwnPassword,
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
                    Action::OwnPassword,
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
    #[test]
    fn what_two_roles_have_in_common_is_exactly_what_both_allow() {
        for one in Role::ALL {
            for other in Role::ALL {
                let both = common(*one, *other);
                for action in Action::ALL {
                    assert_eq!(
                        allows(both, *action),
                        allows(*one, *action) && allows(*other, *action),
                        "{one} and {other}: {action}"
                    );
                }
                assert_eq!(is_within(*one, *other), both == *one);
            }
        }
    }
}
