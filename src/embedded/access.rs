//! Who may connect to the cluster: pg_hba.conf and pg_ident.conf, which Admiral writes anew at every start.
//!
//! The kernel tells PostgreSQL the account of whoever connects to a unix socket (`peer` authentication), and a map says which
//! accounts may be the database role. The mode of the socket's folder keeps other accounts away as well; this is the second wall,
//! which also stands when somebody opens that folder, or runs in a place where the folder can be seen.

use super::ROLE;

/// The name of the map.
const MAP: &str = "admiral";

/// pg_hba.conf: over the unix socket and by the map, or not at all. What no line allows PostgreSQL refuses.
pub(super) fn rules() -> &'static str {
    // One line only, for all databases and roles: the map names the one role there is.
    "# Written by Admiral at every start; changes are lost.\nlocal all all peer map=admiral\n"
}

/// pg_ident.conf: the account of that name may be the database role, and nobody else may be any role. As root the cluster belongs to the
/// account `postgres`, which is not in the map: nothing of that account has to connect.
pub(super) fn identities(account: &str) -> String {
    format!(
        "# Written by Admiral at every start; changes are lost.\n{MAP} {} {ROLE}\n",
        quoted(account)
    )
}

/// A value of the file as it is: without quotes a space would end it and a `#` begin a comment.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_may_connect_as_one_role() {
        assert!(rules().ends_with(&format!("local all all peer map={MAP}\n")));
        let text = identities("first last");
        assert!(text.ends_with("admiral \"first last\" admiral\n"), "{text}");
        assert!(identities("a\"b").contains("\"a\"\"b\""));
    }
}
