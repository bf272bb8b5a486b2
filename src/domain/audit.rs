//! What the audit log holds.

use super::{principal::Principal, text_enum::text_enum};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

text_enum! {
    /// How an audited act ended.
    AuditOutcome {
        /// It was done.
        Success = "success",
        /// It was refused for want of rights.
        Denied = "denied",
        /// It was tried and failed.
        Failure = "failure",
    }
}

/// A record to be added.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// The user; `None` for the command line and for somebody who is not signed in.
    pub actor_id: Option<Uuid>,
    /// Their name, kept when the user is deleted.
    pub actor_name: String,
    /// Where they came from.
    pub address: Option<String>,
    /// The program they used.
    pub user_agent: Option<String>,
    /// `<object>.<verb>`, such as `server.create`.
    pub action: String,
    /// Such as `server`.
    pub object_type: String,
    /// Identifies the object.
    pub object_id: Option<String>,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// The object before the act, without secrets.
    pub before: Option<Value>,
    /// The object after the act, without secrets.
    pub after: Option<Value>,
}

impl AuditEntry {
    /// A success by somebody named `actor_name`, of whom nothing else is known. `action` is `<object>.<verb>`.
    pub fn by_name(actor_name: impl Into<String>, action: &str) -> Self {
        let object_type = action.split_once('.').map_or(action, |(object, _)| object).to_owned();
        Self {
            actor_id: None,
            actor_name: actor_name.into(),
            address: None,
            user_agent: None,
            action: action.to_owned(),
            object_type,
            object_id: None,
            outcome: AuditOutcome::Success,
            before: None,
            after: None,
        }
    }

    /// A success by `principal`. `action` is `<object>.<verb>`; the object's type is taken from it.
    pub fn by(principal: &Principal, action: &str) -> Self {
        Self {
            actor_id: principal.user_id,
            ..Self::by_name(principal.username.clone(), action)
        }
    }

    /// Names the object.
    #[must_use]
    pub fn object(mut self, id: impl ToString) -> Self {
        self.object_id = Some(id.to_string());
        self
    }

    /// The object before the act. What it serialises must hold no secret.
    #[must_use]
    pub fn before(mut self, object: &impl Serialize) -> Self {
        self.before = serde_json::to_value(object).ok();
        self
    }

    /// The object after the act. What it serialises must hold no secret.
    #[must_use]
    pub fn after(mut self, object: &impl Serialize) -> Self {
        self.after = serde_json::to_value(object).ok();
        self
    }

    /// How it ended.
    #[must_use]
    pub fn outcome(mut self, outcome: AuditOutcome) -> Self {
        self.outcome = outcome;
        self
    }
}

/// A record as read back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditRecord {
    /// Grows with time.
    pub id: i64,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// The user; null for the command line and for somebody who is not signed in.
    pub actor_id: Option<Uuid>,
    /// Their name at that time.
    pub actor_name: String,
    /// Where they came from.
    pub address: Option<String>,
    /// The program they used.
    pub user_agent: Option<String>,
    /// `<object>.<verb>`, such as `server.create`.
    pub action: String,
    /// Such as `server`.
    pub object_type: String,
    /// Identifies the object.
    pub object_id: Option<String>,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// The object before the act, without secrets.
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    /// The object after the act, without secrets.
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
}
