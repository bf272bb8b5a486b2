//! What `ansible-galaxy` says when it fails, in plain words. Pure.

/// As many names are listed in one message.
const MAX_NAMED: usize = 10;
/// A message of Ansible's is cut after so many characters.
const MAX_MESSAGE: usize = 600;

/// Says what was not fetched, why, and what to do. `kind` is `role` or `collection`, `names` are all that the file asks for.
pub(super) fn describe(kind: &str, path: &str, names: &[String], said: &str) -> String {
    // Older versions break lines after 79 characters, also within names.
    let words: Vec<&str> = said.split_whitespace().collect();
    let said = words.join(" ");
    let culprit = culprit(kind, names, &said);
    let what = match culprit {
        Some(name) => format!("the {kind} {name}"),
        None if names.len() == 1 => format!("the {kind} {}", names[0]),
        None => {
            let more = match names.len().saturating_sub(MAX_NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!(
                "one of the {kind}s {}{more}",
                names[..names.len().min(MAX_NAMED)].join(", ")
            )
        }
    };
    let (why, hint) = cause(&said);
    format!("{path} asks for {what}, which could not be fetched: {why}; {hint}")
}

/// The one that failed, as far as it is told.
fn culprit<'a>(kind: &str, names: &'a [String], said: &'a str) -> Option<&'a str> {
    let between = |before: &str, after: &[char]| {
        let (_, rest) = said.split_once(before)?;
        rest.split(after).next().filter(|name| !name.is_empty())
    };
    if kind == "role" {
        let (before, _) = said.split_once(" was NOT installed successfully")?;
        return before.rsplit(' ').next();
    }
    between("available versions of collection ", &[':', ' '])
        .or_else(|| between("following requirements: * ", &[':', ' ']))
        .or_else(|| between("Git repository from `", &['`']))
        .or_else(|| between("collection artifact file at '", &['\'']))
        .or_else(|| names.iter().map(String::as_str).find(|name| said.contains(*name)))
}

fn cause(said: &str) -> (String, &'static str) {
    const REACH: &str = "does this machine reach that server? What is in the package's own roles and collections folders is not fetched";
    const TOKEN: &str = "store the right token with `admiral galaxy-servers update`";
    const NAME: &str =
        "check the name and the version, and whether the server that has it is among `admiral galaxy-servers list`";
    const LOOK: &str = "correct the requirement, or put what it names into the package";
    let server = server(said);
    let lower = said.to_lowercase();
    let has = |texts: &[&str]| texts.iter().any(|text| lower.contains(text));
    if has(&[
        "http code: 401",
        "http code: 403",
        "http error 401",
        "http error 403",
        "unauthorized",
    ]) {
        return (format!("{server} did not accept the token"), TOKEN);
    }
    if has(&["connection refused", "couldn't connect", "failed to connect"]) {
        return (format!("{server} refuses connections"), REACH);
    }
    if has(&[
        "name or service not known",
        "name resolution",
        "could not resolve host",
        "nodename nor servname",
        "no address associated",
    ]) {
        return (format!("the name of {server} cannot be resolved"), REACH);
    }
    if has(&["timed out", "timeout"]) {
        return (format!("{server} did not answer in time"), REACH);
    }
    if has(&["network is unreachable", "no route to host"]) {
        return (format!("{server} cannot be reached"), REACH);
    }
    if has(&[
        "certificate_verify_failed",
        "certificate verify failed",
        "certificate problem",
    ]) {
        return (format!("the certificate of {server} is not trusted here"), REACH);
    }
    if has(&[
        "could not satisfy the following requirements",
        "http code: 404",
        "http error 404",
        "not found",
        "failed to find collection",
    ]) {
        return (quote(said), NAME);
    }
    (quote(said), LOOK)
}

/// The server that is spoken of, without a path.
fn server(said: &str) -> String {
    let found = ["https://", "http://", "ssh://"].iter().find_map(|scheme| {
        let (_, rest) = said.split_once(scheme)?;
        let host: String = rest.chars().take_while(|c| !"/'\"` ,;)".contains(*c)).collect();
        let host = host.rsplit('@').next().unwrap_or_default();
        (!host.is_empty()).then(|| format!("{scheme}{host}"))
    });
    found.unwrap_or_else(|| "the server".to_owned())
}

/// Ansible's own words from the error on.
fn quote(said: &str) -> String {
    let start = ["NOT installed successfully: ", "ERROR! ", "[ERROR]: "]
        .iter()
        .find_map(|mark| said.find(mark).map(|at| at + mark.len()))
        .unwrap_or(0);
    let text = said[start..].trim();
    if text.is_empty() {
        return "ansible-galaxy did not say why".to_owned();
    }
    if text.chars().count() <= MAX_MESSAGE {
        return text.to_owned();
    }
    text.chars().take(MAX_MESSAGE).chain("…".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_failed_is_named() {
        let newest = "[WARNING]: Skipping Galaxy server http://127.0.0.1:1/. Got an unexpected error when getting available versions of collection community.general: Unknown error when attempting to call Galaxy at 'http://127.0.0.1:1/api': <urlopen error [Errno 111] Connection refused>";
        let oldest = "[WARNING]: Skipping Galaxy server http://127.0.0.1:1/. Got an unexpected error\nwhen getting available versions of collection community.general: Unknown error\nwhen attempting to call Galaxy at 'http://127.0.0.1:1/api': <urlopen error\n[Errno 111] Connection refused>. <urlopen error [Errno 111] Connection refused>";
        for said in [newest, oldest] {
            let told = describe(
                "collection",
                "collections/requirements.yml",
                &names(&["acme.web", "community.general"]),
                said,
            );
            assert!(
                told.starts_with("collections/requirements.yml asks for the collection community.general, which could not be fetched: http://127.0.0.1:1 refuses connections; "),
                "{told}"
            );
        }
        let said = "[WARNING]: - geerlingguy.nginx was NOT installed successfully: Unknown error when attempting to call Galaxy at 'https://galaxy.invalid/api': <urlopen error [Errno -2] Name or service not known>";
        let told = describe("role", "requirements.yml", &names(&["a.b", "geerlingguy.nginx"]), said);
        assert!(
            told.contains(
                "the role geerlingguy.nginx, which could not be fetched: the name of https://galaxy.invalid cannot"
            ),
            "{told}"
        );
    }

    #[test]
    fn other_trouble_is_told_in_ansibles_words() {
        let said = "Starting galaxy collection install process\nERROR! Failed to resolve the requested dependencies map. Could not satisfy the following requirements:\n* acme.web:9.9.9 (direct request)";
        let told = describe("collection", "requirements.yml", &names(&["acme.db", "acme.web"]), said);
        assert!(
            told.contains("the collection acme.web,")
                && told.contains("acme.web:9.9.9 (direct request); check the name"),
            "{told}"
        );
        let told = describe("role", "requirements.yml", &names(&["a", "b"]), "");
        assert!(
            told.contains("one of the roles a, b, which could not be fetched: ansible-galaxy did not say why"),
            "{told}"
        );
        let told = describe(
            "collection",
            "requirements.yml",
            &names(&["a.b"]),
            "HTTP Code: 401, Message: Unauthorized from 'https://u:p@hub.example.org/api'",
        );
        assert!(
            told.contains("https://hub.example.org did not accept the token") && !told.contains("u:p"),
            "{told}"
        );
    }
}
