//! `admiral password`: changes your own password.

use super::{
    client::Client,
    failure::Hinted,
    input,
    options::GlobalOptions,
    output::{self, Format},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Options of `admiral password`. Passwords are never taken from the arguments: other users of the machine can read those.
#[derive(Debug, clap::Args)]
pub struct PasswordOptions {
    /// File whose first line is the current password; without it you are asked
    #[arg(long, value_name = "FILE")]
    current_password_file: Option<PathBuf>,
    /// File whose first line is the new password; without it you are asked
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
    /// Keep your API tokens; otherwise all of them are revoked except the one in use
    #[arg(long)]
    keep_tokens: bool,
}

/// Changes the password of the owner of the API token.
pub async fn run(global: &GlobalOptions, options: PasswordOptions) -> anyhow::Result<()> {
    if global.server.is_none() {
        return Err(Hinted::new(
            "this changes the password of the owner of an API token, and there is none without --server",
            "on the server's own machine, reset a password with `admiral users set USERNAME --password`",
        )
        .into());
    }
    let client = Client::connect(global).await?;
    let session = client.get("/api/session").await?;
    let username = session["user"]["username"].as_str().unwrap_or_default();
    let current = password(options.current_password_file.as_deref(), || {
        input::ask_secret(&format!("current password of {username}"))
    })?;
    let new = password(options.new_password_file.as_deref(), || {
        input::ask_new_password(username)
    })?;
    let body = json!({
        "current_password": current.expose_secret(),
        "new_password": new.expose_secret(),
        "keep_tokens": options.keep_tokens,
    });
    let answer = client.post("/api/account/password", body).await?;
    if global.output == Format::Json {
        return output::json(&answer);
    }
    output::say(&format!(
        "changed the password of {username}; sessions ended: {}, tokens revoked: {}",
        output::cell(answer.get("sessions_ended")),
        output::cell(answer.get("tokens_revoked")),
    ));
    Ok(())
}

fn password(file: Option<&Path>, ask: impl FnOnce() -> anyhow::Result<SecretString>) -> anyhow::Result<SecretString> {
    match file {
        Some(path) => input::read_secret(path, false),
        None => ask(),
    }
}
