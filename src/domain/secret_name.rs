//! Names of variables and options that hold secrets, as people name them.

/// The last words of names that hold secrets.
const WORDS: [&str; 15] = [
    "pass",
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "secret",
    "secrets",
    "token",
    "tokens",
    "apikey",
    "pwd",
    "credential",
    "credentials",
    "passcode",
    "keytab",
];
/// Pairs of words.
const PAIRS: [(&str, &str); 7] = [
    ("api", "key"),
    ("access", "key"),
    ("secret", "key"),
    ("private", "key"),
    ("encryption", "key"),
    ("license", "key"),
    ("master", "key"),
];
/// What may follow and still be the secret.
const FORMS: [&str; 7] = ["value", "hash", "plain", "cleartext", "b64", "base64", "encrypted"];
/// Whether a name says that it holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let mut words: Vec<&str> = lower.split(['_', '-']).filter(|word| !word.is_empty()).collect();
    while words.len() > 1
        && words
            .last()
            .is_some_and(|word| FORMS.contains(word) || word.chars().all(|c| c.is_ascii_digit()))
    {
        words.pop();
    }
    let Some(last) = words
        .pop()
        .map(|last| last.trim_end_matches(|c: char| c.is_ascii_digit()))
    else {
        return false;
    };
    let pair = words.last().is_some_and(|before| PAIRS.contains(&(before, last)));
    pair || WORDS.contains(&last) || last.ends_with("password")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for name in [
            "password",
            "db_password",
            "mysql_root_password",
            "api_key",
            "API_TOKEN",
            "vault_secret",
            "password_hash",
            "admin_passwd",
            "ssh_private_key",
            "aws_secret_access_key",
            "userpassword",
            "password2",
            "db_pass",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "password_file",
            "token_path",
            "secret_name",
            "password_length",
            "update",
            "key",
            "public_key",
            "tokens_dir",
            "password_policy",
            "api_url",
            "tokenize",
            "secretary",
            "passive",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
