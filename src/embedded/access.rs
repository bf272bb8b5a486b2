//! The accounts that may connect to the cluster: pg_hba.conf and pg_ident.conf, which Admiral writes at every start.
//!
//! The kernel tells PostgreSQL the account of each process that connects to a unix socket (`peer` authentication), and a map says which
//! accounts may use the database role. The mode of the socket's folder keeps other accounts away as well. This check still works when
//! somebody opens that folder, or runs in a place where the folder can be seen.

use super::ROLE;

/// The name of the map.
const MAP: &str = "admiral";

/// pg_hba.conf: connections come over the unix socket and are checked with the map. PostgreSQL refuses every connection that no line
/// allows.
pub(super) fn rules() -> &'static str {
    // One line is enough for all databases and roles, because the map names the only role.
    "# Written by Admiral at every start; changes are lost.\nlocal all all peer map=admiral\n"
}

/// pg_ident.conf: the account of that name may use the database role, and no other account may use any role. When Admiral runs as root, the
/// cluster belongs to the account `postgres`, which is not in the map because it never has to connect.
pub(super) fn identities(account: &str) -> String {
    format!(
        "# Written by Admiral at every start; changes are lost.\n{MAP} {} {ROLE}\n",
        quoted(account)
    )
}

/// Quotes a value for the file: without quotes a space would end the value and a `#` would begin a comment.
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
