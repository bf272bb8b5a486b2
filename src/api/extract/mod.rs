//! What handlers take: who acts, the body, the query, an id from the path. All refuse with a [`Problem`](super::problem::Problem).

mod actor;
mod client;
mod json_body;
mod own_pages;
mod path;
mod query;
mod raw_body;
mod receive;

pub use actor::{Actor, SESSION_COOKIE, session_cookie};
pub use client::Client;
pub use json_body::JsonBody;
pub use own_pages::FromOwnPages;
pub use path::Path;
pub use query::{Query, page};
pub use raw_body::RawBody;
pub use receive::receive;

use crate::domain::validation::Invalid;

/// For `#[serde(default, deserialize_with = "present")]` on an `Option<Option<T>>`: tells `null` (take it away) from a field that
/// is not there (leave it).
pub fn present<'de, D: serde::Deserializer<'de>, T: serde::Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    <Option<T> as serde::Deserialize>::deserialize(deserializer).map(Some)
}

/// Which field `error` is about, and what it says without the place in the text.
fn invalid<E: std::fmt::Display>(error: &serde_path_to_error::Error<E>) -> Invalid {
    let message = error.inner().to_string();
    let message = message.split(" at line ").next().unwrap_or_default().to_owned();
    let path = match error.path().to_string() {
        path if path == "." => String::new(),
        path => path,
    };
    // serde names a field that is missing or unknown in its message only: the path ends at the object around it.
    let named = ["missing field `", "unknown field `"]
        .iter()
        .find_map(|prefix| message.strip_prefix(prefix))
        .and_then(|rest| rest.split('`').next());
    let field = match named {
        Some(name) if path.is_empty() || path == name || path.ends_with(&format!(".{name}")) => {
            if path.is_empty() {
                name.to_owned()
            } else {
                path
            }
        }
        Some(name) => format!("{path}.{name}"),
        None if path.is_empty() => "body".to_owned(),
        None => path,
    };
    let message = if message.starts_with("missing field") {
        "is required".to_owned()
    } else if message.starts_with("unknown field") {
        "is not a known field".to_owned()
    } else {
        message
    };
    Invalid::field(field, message)
}
