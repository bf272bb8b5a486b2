//! `admiral tokens …`

use super::{
    client::Client,
    failure::{Hinted, UsageError},
    options::GlobalOptions,
    output::{self, Format, Table},
    users,
};
use crate::domain::{
    principal::{Principal, Via},
    user::User,
};
use clap::Subcommand;
use serde_json::json;

/// Manage API tokens.
#[derive(Debug, Subcommand)]
pub enum TokensCommand {
    /// Make a token with your own powers; it is shown once
    Add {
        /// What to call it
        name: String,
        /// It stops working after this many days [default: never]
        #[arg(long, value_name = "DAYS")]
        expires_in_days: Option<u32>,
        /// The highest role that it may act with [default: your own]
        #[arg(long, value_parser = users::ROLES)]
        role: Option<String>,
        /// Whose powers it has; needed on the server's own machine
        #[arg(long, value_name = "USERNAME")]
        user: Option<String>,
    },
    /// List tokens
    List,
    /// Revoke a token
    Revoke {
        /// Its name or id
        token: String,
    },
}

/// Runs the subcommand.
pub async fn run(global: &GlobalOptions, command: TokensCommand) -> anyhow::Result<()> {
    let mut client = Client::connect(global).await?;
    let result = run_with(&mut client, global.output, command).await;
    client.close().await?;
    result
}

async fn run_with(client: &mut Client, format: Format, command: TokensCommand) -> anyhow::Result<()> {
    match command {
        TokensCommand::Add {
            name,
            expires_in_days,
            role,
            user,
        } => {
            let mut body = json!({"name": name});
            if let Some(days) = expires_in_days {
                body["expires_in_days"] = json!(days);
            }
            if let Some(role) = role {
                body["role"] = json!(role);
            }
            if let Some(user) = user {
                let user: User = serde_json::from_value(users::find(client, &user).await?)?;
                client.act_for(Principal {
                    user_id: Some(user.id),
                    username: user.username,
                    role: user.role,
                    via: Via::LocalCommand,
                })?;
            } else if client.instance().is_some() {
                return Err(UsageError("say whose powers the token has, with --user USERNAME".to_owned()).into());
            }
            let answer = client.post("/api/tokens", body).await?;
            if format == Format::Json {
                return output::json(&answer);
            }
            output::say("this token is shown only now:");
            Ok(output::line(answer["token"].as_str().unwrap_or_default())?)
        }
        TokensCommand::List => {
            let tokens = client.list("/api/tokens", &[]).await?;
            match format {
                Format::Json => output::json(&tokens),
                Format::Table => Ok(
                    Table::new(&["NAME", "USER", "ROLE", "CREATED", "EXPIRES", "LAST USED", "ID"])
                        .rows_of(
                            &tokens,
                            &[
                                "/name",
                                "/username",
                                "/role",
                                "/created_at",
                                "/expires_at",
                                "/last_used_at",
                                "/id",
                            ],
                        )
                        .print()?,
                ),
            }
        }
        TokensCommand::Revoke { token } => {
            let tokens = client.list("/api/tokens", &[]).await?;
            let found: Vec<_> = tokens
                .iter()
                .filter(|known| known["name"] == token || known["id"] == token)
                .collect();
            match found.as_slice() {
                [one] => {
                    client
                        .delete(&format!("/api/tokens/{}", one["id"].as_str().unwrap_or_default()))
                        .await?;
                    output::say(&format!("revoked {token}"));
                    Ok(())
                }
                [] => Err(Hinted::new(
                    format!("there is no token {token:?}"),
                    "`admiral tokens list` shows all of them",
                )
                .into()),
                _ => Err(Hinted::new(format!("several tokens are called {token:?}"), "name it by its id").into()),
            }
        }
    }
}
