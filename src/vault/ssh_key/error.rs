//! Why a text is not taken as a private key, said so that the person who pasted it knows what to do.

/// Why a key was refused. No variant holds any part of the key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Nothing was given.
    #[error("the private key is empty")]
    Empty,
    /// Longer than any key.
    #[error("the private key is longer than {limit} bytes")]
    TooLong {
        /// In bytes.
        limit: usize,
    },
    /// The text is something else.
    #[error("this is not a private key: it should start with a line such as `-----BEGIN OPENSSH PRIVATE KEY-----`")]
    NotAKey,
    /// The other half was pasted.
    #[error("this is a public key; paste the private one, which is usually the file of the same name without `.pub`")]
    PublicKey,
    /// An SSH or X.509 certificate was pasted.
    #[error("this is a certificate; paste the private key it belongs to")]
    Certificate,
    /// PuTTY's own form.
    #[error(
        "this is a PuTTY key (.ppk); convert it with `puttygen key.ppk -O private-openssh -o key`, or in PuTTYgen under \
         Conversions, Export OpenSSH key"
    )]
    Putty,
    /// Some other program's form.
    #[error("this is {0}; convert it to OpenSSH's form")]
    OtherForm(&'static str),
    /// OpenSSH no longer signs in with these.
    #[error("this is a DSA key, which OpenSSH no longer accepts; make a new one with `ssh-keygen -t ed25519`")]
    Dsa,
    /// The private half is in a hardware token.
    #[error("this key lives in a hardware security key (FIDO), which nobody touches during a run; use another key")]
    SecurityKey,
    /// A kind SSH does not have, or we do not take.
    #[error("{0} keys are not supported; use Ed25519, ECDSA (P-256, P-384, P-521) or RSA")]
    UnsupportedType(String),
    /// Breakable.
    #[error("this RSA key has {bits} bits; at least 2048 are needed")]
    RsaTooShort {
        /// The modulus' length.
        bits: i32,
    },
    /// OpenSSH would not take it.
    #[error("this RSA key has {bits} bits; OpenSSH takes at most 16384")]
    RsaTooLong {
        /// The modulus' length.
        bits: i32,
    },
    /// Encrypted, and no passphrase was given.
    #[error("the private key is encrypted; enter its passphrase")]
    PassphraseMissing,
    /// Encrypted, and the passphrase does not open it.
    #[error("the passphrase does not open the private key")]
    PassphraseWrong,
    /// Not encrypted, and a passphrase was given.
    #[error("the private key is not encrypted; leave the passphrase empty")]
    PassphraseSuperfluous,
    /// Encrypted in a way we can not undo.
    #[error(
        "the private key is encrypted with {0}, which is not supported; encrypt it anew with `ssh-keygen -p -f key`"
    )]
    UnsupportedCipher(String),
    /// Something is missing or changed.
    #[error("the private key is damaged: {0}")]
    Damaged(&'static str),
    /// Not a line of `authorized_keys`.
    #[error("this is not a public key in OpenSSH's form")]
    NotAPublicKey,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes: {0}")]
    Random(getrandom::Error),
    /// OpenSSL failed where it can not.
    #[error("OpenSSL failed")]
    Internal(#[source] openssl::error::ErrorStack),
}

/// Says what a text without a private key is, by its first line.
pub(super) fn recognise(first_line: Option<&str>) -> KeyError {
    let Some(line) = first_line else { return KeyError::Empty };
    let key_type = line.split_ascii_whitespace().next().unwrap_or_default();
    if line.starts_with("PuTTY-User-Key-File-") {
        KeyError::Putty
    } else if key_type.contains("-cert-v01@") || line.contains("BEGIN CERTIFICATE") {
        KeyError::Certificate
    } else if ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"]
        .iter()
        .any(|start| key_type.starts_with(start))
        || (line.contains("BEGIN") && line.contains("PUBLIC KEY"))
    {
        KeyError::PublicKey
    } else if line.contains("BEGIN SSH2 ENCRYPTED PRIVATE KEY") {
        KeyError::OtherForm("a key in the form of the commercial SSH (ssh.com)")
    } else if line.starts_with("SSH PRIVATE KEY FILE FORMAT") {
        KeyError::OtherForm("an SSH 1 key, which no server takes any more")
    } else if line.contains("BEGIN PGP") {
        KeyError::OtherForm("a PGP key")
    } else {
        KeyError::NotAKey
    }
}
