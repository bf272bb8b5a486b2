//! `admiral sessions …`

use super::{
    client::{Client, with_query},
    failure::{Hinted, UsageError},
    options::GlobalOptions,
    output::{self, Format, Table},
    users,
};
use clap::Subcommand;
use serde_json::Value;

const PATH: &str = "/api/sessions";

/// List and end sessions, which are the browsers that are signed in.
#[derive(Debug, Subcommand)]
pub enum SessionsCommand {
    /// List your sessions, or everybody's if you are an admin
    List {
        /// Only those of this user
        #[arg(long, value_name = "USERNAME")]
        user: Option<String>,
    },
    /// End one session, or all sessions of a user; the browser is signed out at once
    Revoke {
        /// The session's id
        #[arg(required_unless_present = "all")]
        session: Option<String>,
        /// End all sessions
        #[arg(long, conflicts_with = "session")]
        all: bool,
        /// With --all: end the sessions of this user instead of your own
        #[arg(long, value_name = "USERNAME", requires = "all")]
        user: Option<String>,
    },
}

/// Runs the subcommand.
pub async fn run(global: &GlobalOptions, command: SessionsCommand) -> anyhow::Result<()> {
    let client = Client::connect(global).await?;
    let result = run_with(&client, global.output, command).await;
    client.close().await?;
    result
}

async fn run_with(client: &Client, format: Format, command: SessionsCommand) -> anyhow::Result<()> {
    match command {
        SessionsCommand::List { user } => {
            let sessions = list(client, user.as_deref()).await?;
            match format {
                Format::Json => output::json(&sessions),
                Format::Table => {
                    Ok(
                        Table::new(&["USER", "ADDRESS", "SIGNED IN", "LAST USED", "EXPIRES", "ID", "BROWSER"])
                            .rows_of(
                                &sessions,
                                &[
                                    "/username",
                                    "/address",
                                    "/created_at",
                                    "/last_seen_at",
                                    "/expires_at",
                                    "/id",
                                    "/user_agent",
                                ],
                            )
                            .print()?,
                    )
                }
            }
        }
        SessionsCommand::Revoke {
            session: Some(session), ..
        } => {
            let sessions = list(client, None).await?;
            if !sessions.iter().any(|known| known["id"] == session) {
                return Err(Hinted::new(
                    format!("there is no session {session:?}"),
                    "`admiral sessions list` shows the ids of all of them",
                )
                .into());
            }
            client.delete(&format!("/api/sessions/{session}")).await?;
            output::say(&format!("ended the session {session}"));
            Ok(())
        }
        SessionsCommand::Revoke {
            session: None, user, ..
        } => {
            if user.is_none() && client.instance().is_some() {
                return Err(UsageError("name the user whose sessions end, with --user USERNAME".to_owned()).into());
            }
            let owner = owner(client, user.as_deref()).await?;
            let query: Vec<_> = owner.iter().map(|id| ("user_id", id.as_str())).collect();
            let answer = client.delete_for_answer(&with_query(PATH, &query)).await?;
            if format == Format::Json {
                return output::json(&answer);
            }
            output::say(&format!(
                "sessions ended: {}",
                output::cell(answer.get("sessions_ended"))
            ));
            Ok(())
        }
    }
}

async fn list(client: &Client, user: Option<&str>) -> anyhow::Result<Vec<Value>> {
    let owner = owner(client, user).await?;
    let query: Vec<_> = owner.iter().map(|id| ("user_id", id.as_str())).collect();
    client.list(PATH, &query).await
}

/// The id of the user of this name.
async fn owner(client: &Client, user: Option<&str>) -> anyhow::Result<Option<String>> {
    let Some(user) = user else { return Ok(None) };
    let user = users::find(client, user).await?;
    Ok(user["id"].as_str().map(ToOwned::to_owned))
}
