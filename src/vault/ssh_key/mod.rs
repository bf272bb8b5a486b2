//! SSH private keys: read in the forms people have them, checked, and written in the one form `ssh` always takes.
//!
//! Ed25519, ECDSA (P-256, P-384, P-521) and RSA (2048 bits and more); OpenSSH and PEM forms, with or without a passphrase.

mod error;
mod material;
mod openssh;
mod pem;
mod wire;

pub use error::KeyError;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use material::Material;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// No key of a kind we take is longer; a request that is gets no further.
const TEXT_LIMIT: usize = 64 * 1024;
const PASSPHRASE_LIMIT: usize = 1024;

/// What may be shown of a private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedKey {
    /// The algorithm's SSH name: `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`.
    pub key_type: String,
    /// Key length, where the algorithm does not settle it.
    pub bits: Option<i32>,
    /// `SHA256:` and base64, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// One line as in `authorized_keys`, without a newline.
    pub public_key_line: String,
}

/// Reads and checks a private key. An empty `passphrase` counts as none.
pub fn inspect(text: &SecretString, passphrase: Option<&SecretString>, comment: &str) -> Result<ParsedKey, KeyError> {
    describe(&parse(text, passphrase)?, comment)
}

/// The fingerprint of a private key in OpenSSH form, whose public half is never encrypted.
pub fn public_fingerprint(text: &SecretString) -> Option<String> {
    let text = text.expose_secret();
    let block = (text.len() <= TEXT_LIMIT).then(|| private_block(text))?.ok()?;
    let body = block.strip_prefix(openssh::BEGIN)?.split("-----END").next()?;
    Some(fingerprint(&openssh::public_half(body).ok()?))
}

/// The same key as plain text in OpenSSH form, as `ssh -i` takes it without asking anything.
pub fn open_for_ansible(text: &SecretString, passphrase: Option<&SecretString>) -> Result<SecretString, KeyError> {
    openssh::render(&parse(text, passphrase)?, "")
}

/// A new key, in OpenSSH form without a passphrase.
pub fn generate_ed25519(comment: &str) -> Result<(SecretString, ParsedKey), KeyError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(KeyError::Random)?;
    let material = Material::from_seed(seed)?;
    Ok((
        openssh::render(&material, &clean_comment(comment))?,
        describe(&material, comment)?,
    ))
}

/// The key type and fingerprint of a public key's line (`ssh-ed25519 AAAA… comment`).
pub fn describe_public(line: &str) -> Result<(String, String), KeyError> {
    let mut words = line.split_ascii_whitespace();
    let (Some(key_type), Some(encoded)) = (words.next(), words.next()) else {
        return Err(KeyError::NotAPublicKey);
    };
    let blob = STANDARD.decode(encoded).map_err(|_| KeyError::NotAPublicKey)?;
    if wire::Reader::new(&blob).text().map_err(|_| KeyError::NotAPublicKey)? != key_type {
        return Err(KeyError::NotAPublicKey);
    }
    Ok((key_type.to_owned(), fingerprint(&blob)))
}

fn parse(text: &SecretString, passphrase: Option<&SecretString>) -> Result<Material, KeyError> {
    let text = text.expose_secret();
    if text.len() > TEXT_LIMIT {
        return Err(KeyError::TooLong { limit: TEXT_LIMIT });
    }
    let passphrase = passphrase.filter(|passphrase| !passphrase.expose_secret().is_empty());
    if passphrase.is_some_and(|passphrase| passphrase.expose_secret().len() > PASSPHRASE_LIMIT) {
        return Err(KeyError::PassphraseWrong);
    }
    let block = private_block(text)?;
    match block.strip_prefix("-----BEGIN OPENSSH PRIVATE KEY-----\n") {
        Some(rest) => openssh::parse(rest.split("-----END").next().unwrap_or_default(), passphrase),
        None => pem::parse(&block, passphrase),
    }
}

/// The first block of the text that holds a private key, with `\n` line ends and without indentation:
/// what a browser, an editor on Windows or a YAML file may have done to it.
fn private_block(text: &str) -> Result<Zeroizing<String>, KeyError> {
    let lines = || text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let is_private = |line: &str, edge: &str| line.starts_with(edge) && line.ends_with("PRIVATE KEY-----");
    let mut block = Zeroizing::new(String::with_capacity(text.len() + 1));
    for line in lines().skip_while(|line| !is_private(line, "-----BEGIN ")) {
        block.push_str(line);
        block.push('\n');
        if is_private(line, "-----END ") {
            return Ok(block);
        }
    }
    if !block.is_empty() {
        return Err(KeyError::Damaged("its END line is missing"));
    }
    Err(error::recognise(lines().find(|line| !line.is_empty())))
}

fn describe(material: &Material, comment: &str) -> Result<ParsedKey, KeyError> {
    let blob = material.public_blob()?;
    let line = format!(
        "{} {} {}",
        material.key_type(),
        STANDARD.encode(&blob),
        clean_comment(comment)
    );
    Ok(ParsedKey {
        key_type: material.key_type().to_owned(),
        bits: material.bits(),
        fingerprint: fingerprint(&blob),
        public_key_line: line.trim_end().to_owned(),
    })
}

/// On one line: a line break in a comment would start another line of `authorized_keys`.
fn clean_comment(comment: &str) -> String {
    comment
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>()
        .trim()
        .to_owned()
}

fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(blob)))
}

#[cfg(test)]
mod tests;
