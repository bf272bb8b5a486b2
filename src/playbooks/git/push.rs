//! What a webhook tells of. Pure.

use super::Reference;
use serde::Deserialize;

/// What a webhook tells of, as far as it can be read: hosts differ, and a sync too many does no harm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Push {
    /// The host says that something else happened than a push.
    is_other: bool,
    /// What was pushed to, such as `refs/heads/main`.
    reference: Option<String>,
    default_branch: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Payload {
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// GitHub's and its kin's.
    repository: Option<Repository>,
    /// GitLab's.
    project: Option<Repository>,
}

#[derive(Debug, Default, Deserialize)]
struct Repository {
    default_branch: Option<String>,
}

impl Push {
    /// Reads a webhook's body, and the event that its header names.
    pub fn read(body: &[u8], event: Option<&str>) -> Self {
        let payload: Payload = serde_json::from_slice(body).unwrap_or_default();
        let default_branch = [payload.repository, payload.project]
            .into_iter()
            .flatten()
            .find_map(|repository| repository.default_branch);
        Self {
            is_other: event.is_some_and(|event| !event.to_ascii_lowercase().contains("push")),
            reference: payload.reference.filter(|reference| !reference.is_empty()),
            default_branch,
        }
    }

    /// Whether a project with this reference is to be synced; why not, if not.
    pub fn concerns(&self, reference: &Reference) -> Result<(), &'static str> {
        if self.is_other {
            return Err("it does not tell of a push");
        }
        let Some(pushed) = &self.reference else { return Ok(()) };
        let short = pushed
            .strip_prefix("refs/heads/")
            .or_else(|| pushed.strip_prefix("refs/tags/"))
            .unwrap_or(pushed);
        let is_meant = match reference {
            // What is in a commit never changes; it may have come only now.
            Reference::Commit(_) => true,
            Reference::Default => self.default_branch.as_ref().is_none_or(|default| default == short),
            Reference::Full(full) => full == pushed,
            Reference::Name(name) => name == short,
        };
        if is_meant {
            Ok(())
        } else {
            Err("it tells of a push to another branch or tag")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concerns(body: &str, event: Option<&str>, reference: &str) -> bool {
        Push::read(body.as_bytes(), event)
            .concerns(&Reference::parse(reference).unwrap())
            .is_ok()
    }

    #[test]
    fn pushes_to_other_branches_are_no_concern() {
        let push = r#"{"ref": "refs/heads/main", "repository": {"default_branch": "main", "id": 1}, "commits": []}"#;
        assert!(concerns(push, Some("push"), "main"));
        assert!(concerns(push, Some("push"), ""));
        assert!(concerns(push, None, "refs/heads/main"));
        assert!(concerns(push, None, &"a".repeat(40)));
        assert!(!concerns(push, Some("push"), "stable"));
        assert!(!concerns(push, Some("push"), "refs/tags/main"));
        assert!(!concerns(push, Some("ping"), "main"));
        assert!(!concerns(push, Some("Merge Request Hook"), "main"));
        let other = r#"{"ref": "refs/heads/topic/a", "project": {"default_branch": "main"}}"#;
        assert!(!concerns(other, Some("Push Hook"), ""));
        assert!(concerns(other, Some("Push Hook"), "topic/a"));
        assert!(concerns(r#"{"ref": "refs/tags/v1"}"#, Some("Tag Push Hook"), "v1"));
        for vague in ["", "{}", "not JSON", "[]", r#"{"ref": ""}"#, r#"{"ref": 7}"#] {
            assert!(concerns(vague, None, "main"), "{vague}");
        }
    }
}
