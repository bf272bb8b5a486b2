//! Recognises secrets that cannot be masked well.

use super::SHORTEST;

/// Words and numbers that occur in ordinary output.
const COMMON: [&str; 56] = [
    "0000",
    "00000",
    "000000",
    "1111",
    "1234",
    "12345",
    "123456",
    "1234567",
    "12345678",
    "123456789",
    "1234567890",
    "admin",
    "administrator",
    "ansible",
    "changed",
    "changeme",
    "data",
    "database",
    "debian",
    "debug",
    "default",
    "demo",
    "disabled",
    "enabled",
    "error",
    "example",
    "example.com",
    "failed",
    "false",
    "guest",
    "host",
    "http",
    "https",
    "info",
    "localhost",
    "name",
    "nobody",
    "none",
    "null",
    "password",
    "postgres",
    "present",
    "production",
    "root",
    "secret",
    "server",
    "staging",
    "state",
    "string",
    "test",
    "token",
    "true",
    "ubuntu",
    "user",
    "username",
    "www-data",
];

/// Why a secret cannot be masked well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// It is too short to be masked.
    TooShort,
    /// It is an ordinary word, which is masked wherever it occurs.
    Common,
}

impl Weakness {
    /// Says so, as the rest of a sentence that begins with the name of the secret.
    pub fn describe(self) -> String {
        match self {
            Self::TooShort => format!(
                "has fewer than {SHORTEST} characters, which is too short to be masked: the output shows it wherever the playbook prints \
                 it. Use a longer value, or set no_log on the tasks that use it"
            ),
            Self::Common => format!(
                "is a common word or number: {} replaces it everywhere in the output, even where it is not the secret. Use a value \
                 that does not occur elsewhere",
                super::REPLACEMENT
            ),
        }
    }
}

/// Why this secret cannot be masked well, if so. An empty one needs no masking.
pub fn weakness(secret: &[u8]) -> Option<Weakness> {
    let secret = secret.trim_ascii();
    match std::str::from_utf8(secret) {
        _ if secret.is_empty() => None,
        _ if secret.len() < SHORTEST => Some(Weakness::TooShort),
        Ok(text) => COMMON
            .binary_search(&text.to_ascii_lowercase().as_str())
            .ok()
            .map(|_| Weakness::Common),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_secrets_are_told() {
        assert!(COMMON.is_sorted());
        for (secret, expected) in [
            ("", None),
            ("  \n", None),
            ("abc", Some(Weakness::TooShort)),
            (" abc\n", Some(Weakness::TooShort)),
            ("True", Some(Weakness::Common)),
            ("1234", Some(Weakness::Common)),
            ("root\n", Some(Weakness::Common)),
            ("7351", None),
            ("hunter22", None),
        ] {
            assert_eq!(weakness(secret.as_bytes()), expected, "{secret:?}");
        }
    }
}
