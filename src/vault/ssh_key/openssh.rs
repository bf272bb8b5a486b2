//! The `openssh-key-v1` form (OpenSSH's `PROTOCOL.key`).

use super::{
    KeyError,
    material::{Material, PRIVATE_CAPACITY},
    wire::{Reader, Writer},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretString};
use ssh_key::{Cipher, Kdf};
use zeroize::Zeroizing;

const MAGIC: &[u8] = b"openssh-key-v1\0";
pub(super) const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const END: &str = "-----END OPENSSH PRIVATE KEY-----";
/// `ssh-keygen` makes 16 (24 of late). More rounds than this would hold a request for minutes.
const MOST_ROUNDS: u32 = 1024;

/// Reads the base64 between the `BEGIN` and `END` lines.
pub(super) fn parse(body: &str, passphrase: Option<&SecretString>) -> Result<Material, KeyError> {
    let message = decode(body)?;
    let mut reader = Reader::new(&message);
    if reader.bytes(MAGIC.len())? != MAGIC {
        return Err(KeyError::Damaged("it does not start as an OpenSSH key does"));
    }
    let cipher = reader.text()?;
    let kdf = reader.text()?;
    let kdf_options = reader.string()?;
    if reader.number()? != 1 {
        return Err(KeyError::Damaged("it holds more than one key, or none"));
    }
    let public = reader.string()?;
    // A type that is refused anyway is named before a passphrase is asked for.
    let key_type = Reader::new(public).text()?;
    if !matches!(key_type, "ssh-ed25519" | "ssh-rsa") && !key_type.starts_with("ecdsa-sha2-nistp") {
        return Err(super::material::refused_type(key_type));
    }
    let mut section = Zeroizing::new(reader.string()?.to_vec());
    match (cipher, passphrase) {
        ("none", None) => {}
        ("none", Some(_)) => return Err(KeyError::PassphraseSuperfluous),
        (_, None) => return Err(KeyError::PassphraseMissing),
        (cipher, Some(passphrase)) => {
            decrypt(&mut section, reader.rest(), cipher, kdf, kdf_options, passphrase)?;
        }
    }
    let mut reader = Reader::new(&section);
    if reader.number()? != reader.number()? {
        let wrong = KeyError::PassphraseWrong;
        return Err(if cipher == "none" {
            KeyError::Damaged("its check numbers differ")
        } else {
            wrong
        });
    }
    let material = Material::read_private(&mut reader)?;
    if material.public_blob()? != public {
        return Err(KeyError::Damaged(
            "its public and private halves do not belong together",
        ));
    }
    Ok(material)
}

/// The public half, which is not encrypted.
pub(super) fn public_half(body: &str) -> Result<Vec<u8>, KeyError> {
    let message = decode(body)?;
    let mut reader = Reader::new(&message);
    reader.bytes(MAGIC.len())?;
    // Cipher, key derivation and its options.
    for _ in 0..3 {
        reader.string()?;
    }
    reader.number()?;
    Ok(reader.string()?.to_vec())
}

fn decode(body: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let mut packed = Zeroizing::new(String::with_capacity(body.len()));
    packed.extend(body.chars().filter(|c| !c.is_ascii_whitespace()));
    let message = STANDARD
        .decode(packed.as_bytes())
        .map_err(|_| KeyError::Damaged("its base64 is broken"))?;
    Ok(Zeroizing::new(message))
}

/// The plain text that `ssh -i` takes, with a newline at the end: OpenSSH refuses the file without it.
pub(super) fn render(material: &Material, comment: &str) -> Result<SecretString, KeyError> {
    let mut check = [0; 4];
    getrandom::fill(&mut check).map_err(KeyError::Random)?;
    let mut section = Writer::with_capacity(PRIVATE_CAPACITY + comment.len());
    section.raw(&check).raw(&check);
    material.write_private(&mut section)?;
    section.string(comment.as_bytes());
    let mut padding = 1;
    while !section.len().is_multiple_of(8) {
        section.raw(&[padding]);
        padding += 1;
    }
    let section = section.finish();
    let mut message = Writer::with_capacity(2 * PRIVATE_CAPACITY + section.len());
    message.raw(MAGIC).string(b"none").string(b"none").string(b"").number(1);
    message.string(&material.public_blob()?).string(&section);
    let encoded = Zeroizing::new(STANDARD.encode(&*message.finish()));
    let mut text = Zeroizing::new(String::with_capacity(encoded.len() * 71 / 70 + 128));
    text.push_str(BEGIN);
    for (index, character) in encoded.chars().enumerate() {
        if index % 70 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push('\n');
    text.push_str(END);
    text.push('\n');
    Ok(SecretString::from(text.as_str()))
}

fn decrypt(
    section: &mut [u8],
    trailer: &[u8],
    cipher: &str,
    kdf: &str,
    kdf_options: &[u8],
    passphrase: &SecretString,
) -> Result<(), KeyError> {
    let unsupported = |name: &str| KeyError::UnsupportedCipher(name.chars().take(64).collect());
    if kdf != "bcrypt" {
        return Err(unsupported(kdf));
    }
    let method = match Cipher::new(cipher).map_err(|_| unsupported(cipher))? {
        // The crate's form of it is not OpenSSH's (which has a 64-byte key and another MAC input).
        Cipher::ChaCha20Poly1305 | Cipher::TDesCbc => return Err(unsupported(cipher)),
        method => method,
    };
    let mut options = Reader::new(kdf_options);
    let salt = options.string()?.to_vec();
    let rounds = options.number()?;
    if rounds == 0 || rounds > MOST_ROUNDS {
        return Err(unsupported(&format!("bcrypt with {rounds} rounds")));
    }
    let tag = if method.has_tag() {
        let tag: [u8; 16] = trailer.try_into().map_err(|_| KeyError::Damaged("it ends too early"))?;
        Some(tag)
    } else {
        None
    };
    let (key, vector) = Kdf::Bcrypt { salt, rounds }
        .derive_key_and_iv(method, passphrase.expose_secret())
        .map_err(|_| KeyError::Damaged("its key derivation options are broken"))?;
    if !section.len().is_multiple_of(method.block_size()) {
        return Err(KeyError::Damaged("its length does not fit its cipher"));
    }
    method
        .decrypt(&key, &vector, section, tag)
        .map_err(|_| KeyError::PassphraseWrong)
}
