//! `admiral playbooks versions|diff|rollback`: the history of a playbook's package.

use super::{
    client::{Client, with_query},
    failure::Hinted,
    output::{self, Format, Table},
    playbooks,
};
use serde_json::{Value, json};

/// The package that a playbook belongs to: its address in the API, and its current version.
async fn package_of(client: &Client, playbook: &str) -> anyhow::Result<(String, Value)> {
    let id = playbooks::find(client, playbook).await?;
    let found = client
        .get(&with_query("/api/playbooks/content", &[("id", &id)]))
        .await?;
    let path = format!(
        "/api/packages/{}",
        found["playbook"]["package_id"].as_str().unwrap_or_default()
    );
    Ok((path, found["playbook"]["version"].clone()))
}

/// The id of the version of this number.
pub async fn find(client: &Client, playbook: &str, number: i32) -> anyhow::Result<Value> {
    let (path, _) = package_of(client, playbook).await?;
    of_number(client, &path, number).await
}

async fn of_number(client: &Client, package: &str, number: i32) -> anyhow::Result<Value> {
    let versions = client.list(&format!("{package}/versions"), &[]).await?;
    versions
        .into_iter()
        .find(|version| version["number"] == number)
        .map(|mut version| version["id"].take())
        .ok_or_else(|| {
            Hinted::new(
                format!("there is no version {number}"),
                "`admiral playbooks versions PLAYBOOK` shows all of them",
            )
            .into()
        })
}

/// Lists versions, the newest first.
pub async fn list(client: &Client, format: Format, playbook: &str) -> anyhow::Result<()> {
    let (path, _) = package_of(client, playbook).await?;
    let versions = client.list(&format!("{path}/versions"), &[]).await?;
    match format {
        Format::Json => output::json(&versions),
        Format::Table => Ok(Table::new(&[
            "VERSION",
            "MADE",
            "BY",
            "COMMENT",
            "COMMIT",
            "ROLLED BACK TO",
            "REVIEWED BY",
        ])
        .rows_of(
            &versions,
            &[
                "/number",
                "/created_at",
                "/author_name",
                "/comment",
                "/commit_id",
                "/rolled_back_to",
                "/reviewed_by_name",
            ],
        )
        .print()?),
    }
}

/// Prints how two versions differ; without `to`, the current one is the new one.
pub async fn diff(client: &Client, format: Format, playbook: &str, from: i32, to: Option<i32>) -> anyhow::Result<()> {
    let (path, current) = package_of(client, playbook).await?;
    let from = of_number(client, &path, from).await?;
    let to = match to {
        Some(number) => of_number(client, &path, number).await?,
        None => current,
    };
    let text = |id: &Value| id.as_str().unwrap_or_default().to_owned();
    let query = [("from", text(&from)), ("to", text(&to))];
    let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = client.get(&with_query(&format!("{path}/diff"), &query)).await?;
    if format == Format::Json {
        return output::json(&answer);
    }
    for file in answer["files"].as_array().into_iter().flatten() {
        let name = output::cell(file.get("path"));
        output::line(&format!("{} {name}", output::cell(file.get("status"))))?;
        if file["binary"] == true || file["truncated"] == true {
            output::line("  (not shown: binary or too large)")?;
        }
        for line in file["diff"].as_str().unwrap_or_default().lines() {
            output::line(&output::printable(line))?;
        }
    }
    Ok(())
}

/// Makes a new version that equals an old one.
pub async fn roll_back(client: &Client, format: Format, playbook: &str, to: i32, comment: &str) -> anyhow::Result<()> {
    let (path, current) = package_of(client, playbook).await?;
    let to = of_number(client, &path, to).await?;
    let body = json!({"version_id": to, "base_version_id": current, "comment": comment});
    let version = client.post(&format!("{path}/rollback"), body).await?;
    match format {
        Format::Json => output::json(&version),
        Format::Table => {
            output::say(&format!(
                "made version {}, which equals version {}",
                output::cell(version.get("number")),
                output::cell(version.get("rolled_back_to"))
            ));
            Ok(())
        }
    }
}
