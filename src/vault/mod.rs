//! Secrets at rest: envelope encryption, the key ring, SSH private keys. The only user of `aes-gcm`.

/// Opens and seals secrets.
#[derive(Debug)]
pub struct Vault {}
