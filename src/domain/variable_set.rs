//! Variables that are kept under a name: presets of a playbook, and environments.

use super::deployment::DeploymentOptions;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

/// Named variables and options for one playbook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Preset {
    /// Identifies the preset.
    pub id: Uuid,
    /// The playbook's id in the library.
    pub playbook: String,
    /// Unique among the playbook's presets.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Its variables.
    #[schema(value_type = Object)]
    pub variables: Map<String, Value>,
    /// Names of its secret variables; their values are never shown.
    pub secret_variables: Vec<String>,
    /// What holds for a launch that says nothing about options.
    pub options: DeploymentOptions,
    /// Who made it.
    pub created_by_name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// Variables that hold wherever it is chosen: production, staging.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Environment {
    /// Identifies the environment.
    pub id: Uuid,
    /// Unique.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Its variables.
    #[schema(value_type = Object)]
    pub variables: Map<String, Value>,
    /// Names of its secret variables; their values are never shown.
    pub secret_variables: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}
