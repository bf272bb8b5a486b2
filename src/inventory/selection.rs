//! Which servers an inventory call is for, from the environment.
//!
//! A filter that selects nothing, or that can not be understood, is an error: it must never widen to every server.

use crate::domain::server::{Server, ServerStatus};
use std::{collections::BTreeSet, fmt};
use uuid::Uuid;

/// Names the servers wanted, by number or identifier, separated by commas or spaces.
pub const SERVER_IDS: &str = "ANSIBLE_SERVER_IDS";
/// Names tags, separated by commas; a server needs all of them.
pub const TAGS: &str = "ANSIBLE_TAGS";
/// `active` (the default), `inactive` or `all`.
pub const STATUS: &str = "ANSIBLE_STATUS";

/// A filter over servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    ids: Option<Vec<WantedServer>>,
    tags: Vec<String>,
    /// `None` is every status.
    status: Option<ServerStatus>,
}

/// A server named in [`SERVER_IDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum WantedServer {
    Number(i64),
    Id(Uuid),
}

impl fmt::Display for WantedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Id(id) => id.fmt(f),
        }
    }
}

/// Why nothing was selected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// A variable is set to nothing.
    #[error("{variable} is set but empty; unset it to select without it")]
    Blank {
        /// The variable.
        variable: &'static str,
    },
    /// Neither a number nor a UUID.
    #[error("{SERVER_IDS}: {word:?} is neither a server's number nor its UUID")]
    NotAnId {
        /// The word as given.
        word: String,
    },
    /// No such status.
    #[error("{STATUS}: {word:?} is not a status; use active, inactive or all")]
    BadStatus {
        /// The word as given.
        word: String,
    },
    /// No such server.
    #[error("{SERVER_IDS}: there is no server {id}")]
    UnknownServer {
        /// As given.
        id: String,
    },
    /// The server is there, but its status is not selected.
    #[error("{SERVER_IDS}: server {id} is {status}; set {STATUS}=all to select it all the same")]
    StatusNotSelected {
        /// As given.
        id: String,
        /// Its status.
        status: ServerStatus,
    },
    /// Nothing is left.
    #[error("no server is selected ({0})")]
    Empty(String),
}

impl Selection {
    /// Reads the filter; `variable` looks one variable up.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SelectionError> {
        let read = |name: &'static str| match variable(name) {
            Some(text) if text.trim().is_empty() => Err(SelectionError::Blank { variable: name }),
            other => Ok(other),
        };
        let ids = read(SERVER_IDS)?.map(|text| parse_ids(&text)).transpose()?;
        let tags = match read(TAGS)? {
            None => Vec::new(),
            Some(text) => {
                let tags: Vec<_> = text
                    .split(',')
                    .map(str::trim)
                    .filter(|tag| !tag.is_empty())
                    .map(str::to_owned)
                    .collect();
                if tags.is_empty() {
                    return Err(SelectionError::Blank { variable: TAGS });
                }
                tags
            }
        };
        let status = match read(STATUS)?.as_deref().map(str::trim) {
            None => Some(ServerStatus::Active),
            Some("all") => None,
            Some(word) => Some(
                word.parse()
                    .map_err(|_| SelectionError::BadStatus { word: word.to_owned() })?,
            ),
        };
        Ok(Self { ids, tags, status })
    }

    /// The servers that pass, in the order given. At least one.
    pub fn apply(&self, servers: &[Server]) -> Result<Vec<Server>, SelectionError> {
        for wanted in self.ids.iter().flatten() {
            let server = servers.iter().find(|server| matches_id(server, *wanted));
            let server = server.ok_or_else(|| SelectionError::UnknownServer { id: wanted.to_string() })?;
            if self.status.is_some_and(|status| status != server.status) {
                return Err(SelectionError::StatusNotSelected {
                    id: wanted.to_string(),
                    status: server.status,
                });
            }
        }
        let selected: Vec<Server> = servers.iter().filter(|server| self.matches(server)).cloned().collect();
        if selected.is_empty() {
            Err(SelectionError::Empty(self.to_string()))
        } else {
            Ok(selected)
        }
    }

    fn matches(&self, server: &Server) -> bool {
        self.ids
            .as_ref()
            .is_none_or(|ids| ids.iter().any(|wanted| matches_id(server, *wanted)))
            && self.tags.iter().all(|tag| server.tags.contains(tag))
            && self.status.is_none_or(|status| status == server.status)
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status.map_or("all", ServerStatus::as_str))?;
        if let Some(ids) = &self.ids {
            let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
            write!(f, ", servers {}", ids.join(" "))?;
        }
        if !self.tags.is_empty() {
            write!(f, ", tags {}", self.tags.join(", "))?;
        }
        Ok(())
    }
}

fn matches_id(server: &Server, wanted: WantedServer) -> bool {
    match wanted {
        WantedServer::Number(number) => server.number == number,
        WantedServer::Id(id) => server.id == id,
    }
}

fn parse_ids(text: &str) -> Result<Vec<WantedServer>, SelectionError> {
    let words = text
        .split(|c: char| c == ',' || c.is_whitespace())
        .filter(|word| !word.is_empty());
    let ids: BTreeSet<WantedServer> = words
        .map(|word| {
            let number = || {
                word.parse()
                    .ok()
                    .filter(|&number: &i64| number > 0)
                    .map(WantedServer::Number)
            };
            let id = || Uuid::parse_str(word).ok().map(WantedServer::Id);
            number()
                .or_else(id)
                .ok_or_else(|| SelectionError::NotAnId { word: word.to_owned() })
        })
        .collect::<Result<_, _>>()?;
    if ids.is_empty() {
        Err(SelectionError::Blank { variable: SERVER_IDS })
    } else {
        Ok(ids.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn server(number: i64, tags: &[&str], status: ServerStatus) -> Server {
        Server {
            id: Uuid::from_u128(number as u128),
            number,
            hostname: format!("h{number}"),
            name: String::new(),
            ssh_host: "192.0.2.1".to_owned(),
            ssh_port: 22,
            ssh_username: "root".to_owned(),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            distro: None,
            architecture: None,
            status,
            metadata: serde_json::Map::new(),
            private_key: None,
            host_keys: Vec::new(),
            last_seen_at: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    fn select(variables: &[(&str, &str)]) -> Result<Vec<i64>, SelectionError> {
        use ServerStatus::{Active, Inactive};
        let servers = [
            server(1, &["web", "eu"], Active),
            server(2, &["web", "big one"], Active),
            server(3, &["web"], Inactive),
        ];
        let look_up = |name: &str| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let selected = Selection::from_environment(look_up)?.apply(&servers)?;
        Ok(selected.iter().map(|server| server.number).collect())
    }

    #[test]
    fn filters_combine() {
        let id = Uuid::from_u128(2).to_string();
        for (variables, expected) in [
            (&[][..], &[1, 2][..]),
            (&[(STATUS, "all")], &[1, 2, 3]),
            (&[(STATUS, "inactive")], &[3]),
            (&[(TAGS, "web, eu")], &[1]),
            (&[(TAGS, "big one")], &[2]),
            (&[(SERVER_IDS, "2,1 2")], &[1, 2]),
            (&[(SERVER_IDS, &id)], &[2]),
            (&[(SERVER_IDS, "1 2"), (TAGS, "eu")], &[1]),
        ] {
            assert_eq!(select(variables).as_deref(), Ok(expected), "{variables:?}");
        }
    }

    #[test]
    fn nothing_widens_to_every_server() {
        for (variables, message) in [
            (
                &[(SERVER_IDS, "")][..],
                "ANSIBLE_SERVER_IDS is set but empty; unset it to select without it",
            ),
            (
                &[(SERVER_IDS, " , ")],
                "ANSIBLE_SERVER_IDS is set but empty; unset it to select without it",
            ),
            (
                &[(TAGS, " ")],
                "ANSIBLE_TAGS is set but empty; unset it to select without it",
            ),
            (
                &[(TAGS, ",")],
                "ANSIBLE_TAGS is set but empty; unset it to select without it",
            ),
            (
                &[(STATUS, "")],
                "ANSIBLE_STATUS is set but empty; unset it to select without it",
            ),
            (
                &[(STATUS, "Active")],
                "ANSIBLE_STATUS: \"Active\" is not a status; use active, inactive or all",
            ),
            (
                &[(SERVER_IDS, "1,web")],
                "ANSIBLE_SERVER_IDS: \"web\" is neither a server's number nor its UUID",
            ),
            (
                &[(SERVER_IDS, "-1")],
                "ANSIBLE_SERVER_IDS: \"-1\" is neither a server's number nor its UUID",
            ),
            (&[(SERVER_IDS, "1,9")], "ANSIBLE_SERVER_IDS: there is no server 9"),
            (
                &[(SERVER_IDS, "3")],
                "ANSIBLE_SERVER_IDS: server 3 is inactive; set ANSIBLE_STATUS=all to select it all the same",
            ),
            (
                &[(TAGS, "web,nope")],
                "no server is selected (status active, tags web, nope)",
            ),
        ] {
            assert_eq!(select(variables).unwrap_err().to_string(), message, "{variables:?}");
        }
    }
}
