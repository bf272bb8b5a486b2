//! Where recordings are stored: on a server, in a database, or in the data directory.

use super::upload::UploadError;
use crate::{
    cli::{client::Client, instance::key_ring_path, options::GlobalOptions, owner::Ownership},
    store::{Database, Schema},
};
use reqwest::Url;

/// Where the options say that recordings go: as text without secrets, by which a later run knows whether it sends to the same place.
/// Nothing when they name no server and no database, and there is no data directory yet.
pub fn destination(global: &GlobalOptions) -> Option<String> {
    if let Some(url) = global.server.as_ref().or(global.database_url.as_ref()) {
        return Some(without_password(url));
    }
    let folder = global.data_directory_path().ok()?;
    let mut entries = std::fs::read_dir(&folder).ok()?;
    entries.next().map(|_| folder.to_string_lossy().into_owned())
}

fn without_password(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else {
        return "an address that cannot be read".to_owned();
    };
    // Fails where there is no host, and then there is no password.
    let _ = url.set_password(None);
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| name != "password")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.set_query(None);
    if !kept.is_empty() {
        url.query_pairs_mut().extend_pairs(kept);
    }
    url.as_str().trim_end_matches('/').to_owned()
}

/// Connects to it. A database that is not Admiral's is left as it is: `DATABASE_URL` may be meant for another program.
pub async fn connect(global: &GlobalOptions) -> Result<Client, UploadError> {
    if global.server.is_none() {
        check_is_ours(global)?;
    }
    if let (None, Some(url)) = (&global.server, &global.database_url) {
        check_is_admirals(global, url).await?;
    }
    Client::connect(global).await.map_err(UploadError::Passing)
}

/// A recording belongs to the person at the terminal. The account that owns another data directory could not read it.
fn check_is_ours(global: &GlobalOptions) -> Result<(), UploadError> {
    let folder = global.data_directory_path().map_err(UploadError::Passing)?;
    match Ownership::of(&folder) {
        Ok(Ownership::Ours | Ownership::Nobodys) => Ok(()),
        Ok(Ownership::Anothers(_) | Ownership::Unknown(_)) | Err(_) => Err(UploadError::NoDestination(
            "the data directory belongs to another account; name its running server with ADMIRAL_SERVER",
        )),
    }
}

async fn check_is_admirals(global: &GlobalOptions, url: &str) -> Result<(), UploadError> {
    let folder = global.data_directory_path().map_err(UploadError::Passing)?;
    if !key_ring_path(&folder).exists() {
        return Err(UploadError::NoDestination(
            "a database is named by DATABASE_URL or --database-url, but there is no key ring for it here",
        ));
    }
    let passing = |error| UploadError::Passing(anyhow::Error::from(error));
    let database = Database::connect(url, 1).await.map_err(passing)?;
    let schema = database.schema().await;
    database.close().await;
    match schema.map_err(passing)? {
        Schema::Current => Ok(()),
        Schema::Older => Err(UploadError::NoDestination(
            "the database is an older Admiral's; any other command of `admiral` brings it up to date",
        )),
        Schema::Missing => Err(UploadError::NoDestination(
            "the database that DATABASE_URL or --database-url names is not Admiral's",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_holds_no_secret() {
        for (url, shown) in [
            ("https://a.example/", "https://a.example"),
            ("https://a.example", "https://a.example"),
            ("https://me:canary@a.example/x/", "https://me@a.example/x"),
            ("postgres://me:canary@db:5433/app", "postgres://me@db:5433/app"),
            (
                "postgres://db/app?password=canary&host=%2Frun",
                "postgres://db/app?host=%2Frun",
            ),
            ("host=db password=canary", "an address that cannot be read"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
