//! Servers that roles and collections are fetched from.

use super::validation::Validator;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A Galaxy server, as far as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GalaxyServer {
    /// Identifies the server.
    pub id: Uuid,
    /// Requirements may name it as their `source`.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Where it gets tokens from (Keycloak), if anywhere.
    pub auth_url: Option<String>,
    /// Whether a token is stored.
    pub has_token: bool,
    /// Servers are asked from the lowest to the highest.
    pub position: i32,
}

/// Highest position.
pub const MAX_POSITION: i32 = 10_000;

/// Notes what is wrong with a server.
pub fn validate(validator: &mut Validator, name: &str, url: &str, auth_url: Option<&str>, position: i32) {
    let is_name = (1..=100).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    validator.check(
        is_name,
        "name",
        "must have 1 to 100 letters, digits, _ and -, and begin with a letter or digit",
    );
    for (field, url) in [("url", Some(url)), ("auth_url", auth_url)] {
        validator.check(
            url.is_none_or(is_url),
            field,
            "must begin with https:// or http:// and have at most 1000 characters, without blanks and passwords",
        );
    }
    validator.check(
        (0..=MAX_POSITION).contains(&position),
        "position",
        "must be between 0 and 10000",
    );
}

/// Whether a text can be sent in a header and written into a line.
pub fn is_token(text: &str) -> bool {
    (1..=10_000).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic())
}

fn is_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or(url.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with('/')
            && url.len() <= 1000
            && url.chars().all(|c| c.is_ascii_graphic() && c != '@')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_server_is_named() {
        let fields = |name: &str, url: &str, auth_url: Option<&str>, position: i32| {
            let mut validator = Validator::new();
            validate(&mut validator, name, url, auth_url, position);
            let errors = validator
                .finish()
                .err()
                .map(|invalid| invalid.errors)
                .unwrap_or_default();
            errors
                .into_iter()
                .map(|error| error.field)
                .collect::<Vec<_>>()
                .join(" ")
        };
        let url = "https://hub.example.org/api/galaxy/";
        assert_eq!(fields("hub-1", url, Some("http://sso.example.org/token"), 0), "");
        assert_eq!(fields("a b", "ftp://x", Some(""), -1), "name url auth_url position");
        assert_eq!(fields("-a", "https://u:p@x/", None, 0), "name url");
        assert_eq!(fields("a", "https://x/\nserver=y", None, 0), "url");
        assert!(is_token("abc.DEF-_==") && !is_token("") && !is_token("a b") && !is_token("a\nb"));
    }
}
