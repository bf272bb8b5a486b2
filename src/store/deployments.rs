//! Deployments: launched whole, read, cancelled.

use super::{Connection, StoreError, events, run_ends};
use crate::domain::{
    DeploymentId, RunId, ServerId, VersionId,
    deployment::{
        CommandLine, DeployedVersion, Deployment, DeploymentKind, DeploymentOptions, DeploymentStatus, HostCounts,
        Launcher, OverriddenSetting, Reason, Target, VariableSource, WaitedFor,
    },
    event::own,
    page::PageRequest,
};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sqlx::types::Json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The channel that tells workers of runs to claim; the payload is empty.
pub const RUNS_CHANNEL: &str = "admiral_runs";
/// The channel that tells workers of runs to cancel; the payload is the run's uuid.
pub const CANCEL_CHANNEL: &str = "admiral_cancel";

/// Everything a deployment needs, frozen.
#[derive(Debug, Clone)]
pub struct NewDeployment {
    /// Its identifier.
    pub id: DeploymentId,
    /// One run for each slice, at most as many as hosts.
    pub run_ids: Vec<RunId>,
    /// For people.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// What is carried out.
    pub kind: DeploymentKind,
    /// As in [`Deployment`].
    pub playbook: String,
    /// What is carried out that is no playbook of the library.
    pub command: Option<CommandLine>,
    /// The playbook among the version's files.
    pub entry_path: String,
    /// The files as they were.
    pub playbook_version_id: Option<VersionId>,
    /// What was asked for.
    pub target: Target,
    /// Extra variables.
    pub variables: Map<String, Value>,
    /// Names of the secret ones.
    pub secret_variable_names: Vec<String>,
    /// The secret ones, sealed.
    pub sealed_variables: Option<Vec<u8>>,
    /// Where the variables come from.
    pub inputs: DeploymentInputs,
    /// Options of `ansible-playbook`.
    pub options: DeploymentOptions,
    /// Settings of the project's `ansible.cfg` that do not hold.
    pub overridden_settings: Vec<OverriddenSetting>,
    /// The deployment this one retries.
    pub retry_of: Option<DeploymentId>,
    /// Who launched it.
    pub created_by: Launcher,
    /// At least one.
    pub hosts: Vec<NewHost>,
}

/// Where a new deployment's variables come from, and its files.
#[derive(Debug, Clone, Default)]
pub struct DeploymentInputs {
    /// The environment's name.
    pub environment: Option<String>,
    /// The preset's name.
    pub preset: Option<String>,
    /// Where each variable, secret ones and files included, has its value from.
    pub sources: BTreeMap<String, VariableSource>,
    /// Names of the variables that are paths of files.
    pub file_names: Vec<String>,
    /// The files, sealed.
    pub sealed_files: Option<Vec<u8>>,
    /// What did not stop the launch.
    pub warnings: Vec<String>,
}

/// One host of a new deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHost {
    /// The name in the inventory.
    pub host: String,
    /// The server.
    pub server_id: ServerId,
    /// `ADDRESS:PORT`.
    pub address: String,
}

/// Which deployments are wanted.
#[derive(Debug, Clone, Default)]
pub struct DeploymentListFilter {
    /// Part of the name, the playbook or the launcher's name, or the number.
    pub search: Option<String>,
    /// Only these.
    pub status: Option<DeploymentStatus>,
    /// Only this playbook's.
    pub playbook: Option<String>,
}

/// What became of a request to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It had not begun: it is cancelled already.
    Cancelled,
    /// Its worker was told.
    Requested {
        /// Without grace: asked for so, or because this was the second request.
        force: bool,
    },
}

#[derive(sqlx::FromRow)]
struct DeploymentRow {
    id: Uuid,
    number: i64,
    name: String,
    description: Option<String>,
    kind: String,
    playbook: String,
    entry_path: String,
    command: Option<Json<CommandLine>>,
    environment_name: Option<String>,
    preset_name: Option<String>,
    variable_sources: Json<BTreeMap<String, VariableSource>>,
    file_variable_names: Vec<String>,
    overridden_settings: Json<Vec<OverriddenSetting>>,
    deployed_version: Option<Json<DeployedVersion>>,
    server_filter: Json<Target>,
    variables: Json<Map<String, Value>>,
    secret_variable_names: Vec<String>,
    options: Json<DeploymentOptions>,
    status: String,
    reason: Option<String>,
    message: Option<String>,
    warnings: Json<Vec<String>>,
    total: i32,
    pending: i32,
    running: i32,
    successful: i32,
    failed: i32,
    unreachable: i32,
    skipped: i32,
    cancelled: i32,
    changed: i32,
    event_position: i64,
    output_bytes: i64,
    retry_of: Option<Uuid>,
    created_by: Option<Uuid>,
    created_by_name: String,
    cancel_requested_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    isolation: Option<String>,
    waited_for: Json<Vec<WaitedFor>>,
}

const SELECT: &str = "SELECT d.*, (SELECT r.isolation FROM admiral.runs r WHERE r.deployment_id = d.id \
     ORDER BY r.slice LIMIT 1) AS isolation, \
     CASE WHEN d.status = 'pending' AND cardinality(d.waiting_for) > 0 THEN \
         (SELECT coalesce(jsonb_agg(jsonb_build_object('id', w.id, 'number', w.number, 'name', w.name) ORDER BY w.number), '[]') \
          FROM admiral.deployments w WHERE w.id = ANY (d.waiting_for)) \
     ELSE '[]' END AS waited_for, \
     (SELECT jsonb_build_object('id', v.id, 'package_id', v.package_id, 'package_name', p.name, 'number', v.number, \
             'commit_id', v.commit_id, 'reviewed_at', v.reviewed_at, 'reviewed_by_name', v.reviewed_by_name, \
             'differs_from_current', CASE WHEN c.digest <> v.digest THEN c.id END) \
      FROM admiral.playbook_versions v JOIN admiral.packages p ON p.id = v.package_id \
      LEFT JOIN admiral.playbook_versions c ON c.id = p.current_version_id \
      WHERE v.id = d.playbook_version_id) AS deployed_version FROM admiral.deployments d";

impl TryFrom<DeploymentRow> for Deployment {
    type Error = StoreError;

    fn try_from(row: DeploymentRow) -> Result<Self, StoreError> {
        let reason = row.reason.as_deref().map(str::parse::<Reason>).transpose();
        Ok(Self {
            id: row.id,
            number: row.number,
            name: row.name,
            description: row.description,
            kind: row.kind.parse().map_err(|_| StoreError::Corrupt("deployments.kind"))?,
            playbook: row.playbook,
            entry_path: row.entry_path,
            version: row.deployed_version.map(|version| version.0),
            command: row.command.map(|command| command.0),
            environment: row.environment_name,
            preset: row.preset_name,
            variable_sources: row.variable_sources.0,
            file_variables: row.file_variable_names,
            overridden_settings: row.overridden_settings.0,
            status: row
                .status
                .parse()
                .map_err(|_| StoreError::Corrupt("deployments.status"))?,
            reason: reason.map_err(|_| StoreError::Corrupt("deployments.reason"))?,
            message: row.message,
            warnings: row.warnings.0,
            target: row.server_filter.0,
            variables: row.variables.0,
            secret_variables: row.secret_variable_names,
            options: row.options.0,
            counts: HostCounts {
                total: row.total,
                pending: row.pending,
                running: row.running,
                success: row.successful,
                failed: row.failed,
                unreachable: row.unreachable,
                skipped: row.skipped,
                cancelled: row.cancelled,
                changed: row.changed,
            },
            event_position: row.event_position,
            output_bytes: row.output_bytes,
            cancel_requested_at: row.cancel_requested_at,
            retry_of: row.retry_of,
            created_by: Launcher {
                id: row.created_by,
                username: row.created_by_name,
            },
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            isolation: row.isolation,
            waiting_for: row.waited_for.0,
        })
    }
}

/// Inserts a deployment, its rows and its runs, and tells the workers when the transaction commits.
pub async fn insert_deployment(connection: &mut Connection, new: &NewDeployment) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO admiral.deployments (id, name, description, playbook, playbook_version_id, server_filter, variables, \
             secret_variable_names, sealed_variables, options, retry_of, created_by, created_by_name, total, pending, kind, entry_path, \
             environment_name, preset_name, variable_sources, file_variable_names, sealed_files, warnings, command, \
             overridden_settings) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)",
    )
    .bind(new.id)
    .bind(&new.name)
    .bind(&new.description)
    .bind(&new.playbook)
    .bind(new.playbook_version_id)
    .bind(Json(&new.target))
    .bind(Json(&new.variables))
    .bind(&new.secret_variable_names)
    .bind(&new.sealed_variables)
    .bind(Json(&new.options))
    .bind(new.retry_of)
    .bind(new.created_by.id)
    .bind(&new.created_by.username)
    .bind(i32::try_from(new.hosts.len()).unwrap_or(i32::MAX))
    .bind(new.kind.as_str())
    .bind(&new.entry_path)
    .bind(&new.inputs.environment)
    .bind(&new.inputs.preset)
    .bind(Json(&new.inputs.sources))
    .bind(&new.inputs.file_names)
    .bind(&new.inputs.sealed_files)
    .bind(Json(&new.inputs.warnings))
    .bind(new.command.as_ref().map(Json))
    .bind(Json(&new.overridden_settings))
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO admiral.deployment_servers (deployment_id, slice, host, server_id, address) \
         SELECT $1, (number - 1) % $5, host, server_id, address \
         FROM unnest($2::text[], $3::uuid[], $4::text[]) WITH ORDINALITY AS hosts (host, server_id, address, number)",
    )
    .bind(new.id)
    .bind(new.hosts.iter().map(|host| host.host.as_str()).collect::<Vec<_>>())
    .bind(new.hosts.iter().map(|host| host.server_id).collect::<Vec<_>>())
    .bind(new.hosts.iter().map(|host| host.address.as_str()).collect::<Vec<_>>())
    .bind(new.run_ids.len() as i64)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO admiral.runs (id, deployment_id, slice, priority) \
         SELECT id, $2, number - 1, $3 FROM unnest($1::uuid[]) WITH ORDINALITY AS runs (id, number)",
    )
    .bind(&new.run_ids)
    .bind(new.id)
    .bind(new.options.priority as i16)
    .execute(&mut *connection)
    .await?;
    events::notify_position(connection, new.id, 0).await?;
    sqlx::query("SELECT pg_notify($1, '')")
        .bind(RUNS_CHANNEL)
        .execute(connection)
        .await?;
    Ok(())
}

/// One deployment.
pub async fn get_deployment(connection: &mut Connection, id: DeploymentId) -> Result<Deployment, StoreError> {
    sqlx::query_as::<_, DeploymentRow>(&format!("{SELECT} WHERE d.id = $1"))
        .bind(id)
        .fetch_optional(connection)
        .await?
        .ok_or(StoreError::NotFound("deployment"))?
        .try_into()
}

/// The identifier behind a short number.
pub async fn find_by_number(connection: &mut Connection, number: i64) -> Result<DeploymentId, StoreError> {
    sqlx::query_scalar("SELECT id FROM admiral.deployments WHERE number = $1")
        .bind(number)
        .fetch_optional(connection)
        .await?
        .ok_or(StoreError::NotFound("deployment"))
}

/// The newest deployments first, and how many there are over all pages.
pub async fn list_deployments(
    connection: &mut Connection,
    filter: &DeploymentListFilter,
    page: PageRequest,
) -> Result<(Vec<Deployment>, i64), StoreError> {
    const WHERE: &str = "($1::text IS NULL OR d.status = $1) AND ($2::text IS NULL OR d.playbook = $2) \
         AND ($3::text IS NULL OR strpos(lower(d.name), lower($3)) > 0 OR strpos(lower(d.playbook), lower($3)) > 0 \
              OR strpos(lower(d.created_by_name), lower($3)) > 0 OR d.number::text = ltrim($3, '#'))";
    let status = filter.status.map(DeploymentStatus::as_str);
    let search = filter.search.as_deref().filter(|text| !text.is_empty());
    let total: i64 = sqlx::query_scalar(&format!("SELECT count(*) FROM admiral.deployments d WHERE {WHERE}"))
        .bind(status)
        .bind(filter.playbook.as_deref())
        .bind(search)
        .fetch_one(&mut *connection)
        .await?;
    let rows: Vec<DeploymentRow> = sqlx::query_as(&format!(
        "{SELECT} WHERE {WHERE} ORDER BY d.number DESC LIMIT $4 OFFSET $5"
    ))
    .bind(status)
    .bind(filter.playbook.as_deref())
    .bind(search)
    .bind(page.per_page)
    .bind(page.offset())
    .fetch_all(connection)
    .await?;
    Ok((
        rows.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
        total,
    ))
}

/// What a list that is being watched may show changed: these deployments, the unfinished ones, and the newest `newest`.
pub async fn list_watched(
    connection: &mut Connection,
    ids: &[DeploymentId],
    newest: i64,
) -> Result<Vec<Deployment>, StoreError> {
    let rows: Vec<DeploymentRow> = sqlx::query_as(&format!(
        "{SELECT} WHERE d.id = ANY ($1) OR d.status IN ('pending', 'running') \
           OR d.number IN (SELECT number FROM admiral.deployments ORDER BY number DESC LIMIT $2) \
         ORDER BY d.number DESC LIMIT 1000"
    ))
    .bind(ids)
    .bind(newest)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// What a retry takes over besides what [`Deployment`] shows.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Frozen {
    /// The files as they were; `None` for what has none.
    pub playbook_version_id: Option<VersionId>,
    /// The secret variables, sealed for this deployment.
    pub sealed_variables: Option<Vec<u8>>,
    /// The files among the variables, sealed for this deployment.
    pub sealed_files: Option<Vec<u8>>,
}

/// Reads [`Frozen`].
pub async fn get_frozen(connection: &mut Connection, id: DeploymentId) -> Result<Frozen, StoreError> {
    sqlx::query_as("SELECT playbook_version_id, sealed_variables, sealed_files FROM admiral.deployments WHERE id = $1")
        .bind(id)
        .fetch_optional(connection)
        .await?
        .ok_or(StoreError::NotFound("deployment"))
}

/// Cancels a deployment that has not begun, or asks its workers to end it. `by` names who asks; a second request skips the grace.
///
/// Must run inside a transaction. Fails with [`StoreError::WrongState`] when the deployment has ended.
pub async fn request_cancel(
    connection: &mut Connection,
    id: DeploymentId,
    by: &str,
    force: bool,
) -> Result<CancelOutcome, StoreError> {
    // Locks in the order of a claim (run, then deployment) but only runs that nobody owns, since who owns one locks the deployment
    // first: no order of events ends in a deadlock.
    sqlx::query("SELECT FROM admiral.runs WHERE deployment_id = $1 AND status = 'pending' ORDER BY slice FOR UPDATE")
        .bind(id)
        .execute(&mut *connection)
        .await?;
    let (status, requested_before): (String, bool) = sqlx::query_as(
        "SELECT status, cancel_requested_at IS NOT NULL FROM admiral.deployments WHERE id = $1 FOR UPDATE",
    )
    .bind(id)
    .fetch_optional(&mut *connection)
    .await?
    .ok_or(StoreError::NotFound("deployment"))?;
    let status: DeploymentStatus = status.parse().map_err(|_| StoreError::Corrupt("deployments.status"))?;
    if status.is_final() {
        return Err(StoreError::WrongState("the deployment has already ended"));
    }
    let force = force || requested_before;
    events::append_own(
        connection,
        id,
        own::CANCEL_REQUESTED,
        &json!({ "by": by, "force": force }),
    )
    .await?;
    let message = format!("cancelled by {by} before it began");
    if run_ends::cancel_unstarted(connection, id, &message).await? {
        return Ok(CancelOutcome::Cancelled);
    }
    changes_one(
        sqlx::query(
            "UPDATE admiral.deployments SET cancel_requested_at = coalesce(cancel_requested_at, now()) \
             WHERE id = $1 AND status IN ('pending', 'running')",
        )
        .bind(id)
        .execute(&mut *connection)
        .await?
        .rows_affected(),
    )?;
    sqlx::query(
        "WITH told AS ( \
             UPDATE admiral.runs SET cancel_requested_at = coalesce(cancel_requested_at, now()), \
                    cancel_force = cancel_force OR $2 \
             WHERE deployment_id = $1 AND status = 'running' RETURNING id) \
         SELECT pg_notify($3, id::text) FROM told",
    )
    .bind(id)
    .bind(force)
    .bind(CANCEL_CHANNEL)
    .execute(connection)
    .await?;
    Ok(CancelOutcome::Requested { force })
}

fn changes_one(rows: u64) -> Result<(), StoreError> {
    if rows == 1 {
        Ok(())
    } else {
        Err(StoreError::WrongState("the deployment has changed in the meantime"))
    }
}
