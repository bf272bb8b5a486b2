//! A private key's numbers, whatever text they came in.

use super::{
    KeyError,
    wire::{Reader, Writer},
};
use openssl::{
    bn::{BigNum, BigNumContext, BigNumRef},
    ec::{EcGroup, EcKey, EcPoint, PointConversionForm},
    error::ErrorStack,
    nid::Nid,
    pkey::{Id, PKey, Private},
    rsa::{Rsa, RsaPrivateKeyBuilder},
};
use zeroize::Zeroizing;

const RSA_LEAST_BITS: i32 = 2048;
/// What OpenSSH itself accepts at most; beyond it the checks would take minutes.
const RSA_MOST_BITS: i32 = 16384;

/// Room for every private key up to [`RSA_MOST_BITS`].
pub(super) const PRIVATE_CAPACITY: usize = 16 * 1024;

/// A checked key pair: the public half belongs to the private half.
pub(super) enum Material {
    Ed25519 {
        seed: Zeroizing<[u8; 32]>,
        public: [u8; 32],
    },
    Ecdsa {
        curve: Curve,
        key: EcKey<Private>,
    },
    Rsa(Rsa<Private>),
}

/// The curves SSH names (RFC 5656).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    fn nid(self) -> Nid {
        match self {
            Self::P256 => Nid::X9_62_PRIME256V1,
            Self::P384 => Nid::SECP384R1,
            Self::P521 => Nid::SECP521R1,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::P256 => "nistp256",
            Self::P384 => "nistp384",
            Self::P521 => "nistp521",
        }
    }

    fn key_type(self) -> &'static str {
        match self {
            Self::P256 => "ecdsa-sha2-nistp256",
            Self::P384 => "ecdsa-sha2-nistp384",
            Self::P521 => "ecdsa-sha2-nistp521",
        }
    }
}

impl Material {
    pub(super) fn from_seed(seed: Zeroizing<[u8; 32]>) -> Result<Self, KeyError> {
        let key = PKey::private_key_from_raw_bytes(&*seed, Id::ED25519).map_err(internal)?;
        let public = key.raw_public_key().map_err(internal)?;
        let public = public
            .try_into()
            .map_err(|_| KeyError::Damaged("its public half has the wrong length"))?;
        Ok(Self::Ed25519 { seed, public })
    }

    /// Takes over a key that OpenSSL read.
    pub(super) fn from_openssl(key: &PKey<Private>) -> Result<Self, KeyError> {
        match key.id() {
            Id::ED25519 => {
                let seed = Zeroizing::new(key.raw_private_key().map_err(internal)?);
                let seed = seed
                    .as_slice()
                    .try_into()
                    .map_err(|_| KeyError::Damaged("it has the wrong length"))?;
                Self::from_seed(Zeroizing::new(seed))
            }
            Id::EC => Self::from_ec(key.ec_key().map_err(internal)?),
            Id::RSA => Self::from_rsa(key.rsa().map_err(internal)?),
            Id::RSA_PSS => Err(KeyError::UnsupportedType("RSA-PSS".to_owned())),
            Id::DSA => Err(KeyError::Dsa),
            Id::ED448 => Err(KeyError::UnsupportedType("Ed448".to_owned())),
            Id::X25519 | Id::X448 => Err(KeyError::UnsupportedType("X25519 and X448".to_owned())),
            _ => Err(KeyError::UnsupportedType("this kind of".to_owned())),
        }
    }

    /// Reads the fields of an `openssh-key-v1` private section, from the key type on.
    #[expect(clippy::many_single_char_names, reason = "RFC 8017 names them so")]
    pub(super) fn read_private(reader: &mut Reader<'_>) -> Result<Self, KeyError> {
        let key_type = reader.text()?;
        if key_type == "ssh-ed25519" {
            let public = reader.string()?;
            let private = reader.string()?;
            let seed: [u8; 32] = private
                .get(..32)
                .filter(|_| private.len() == 64)
                .and_then(|seed| seed.try_into().ok())
                .ok_or(KeyError::Damaged("it has the wrong length"))?;
            let material = Self::from_seed(Zeroizing::new(seed))?;
            let Self::Ed25519 { public: derived, .. } = &material else {
                return Err(MISMATCH);
            };
            return if public == derived && private[32..] == derived[..] {
                Ok(material)
            } else {
                Err(MISMATCH)
            };
        }
        if let Some(curve) = Curve::ALL.into_iter().find(|curve| curve.key_type() == key_type) {
            if reader.text()? != curve.name() {
                return Err(MISMATCH);
            }
            let (point, scalar) = (reader.string()?, reader.positive()?);
            return Self::from_point(curve, point, scalar);
        }
        match key_type {
            "ssh-rsa" => {
                let mut number = || BigNum::from_slice(reader.positive()?).map_err(internal);
                let (n, e, d) = (number()?, number()?, number()?);
                let (_inverse, p, q) = (number()?, number()?, number()?);
                Self::from_rsa(assemble_rsa(n, e, d, p, q).map_err(|_| MISMATCH)?)
            }
            other => Err(refused_type(other)),
        }
    }

    /// The comment-free public half: what `authorized_keys` has in base64.
    pub(super) fn public_blob(&self) -> Result<Vec<u8>, KeyError> {
        let mut writer = Writer::with_capacity(PRIVATE_CAPACITY);
        writer.string(self.key_type().as_bytes());
        match self {
            Self::Ed25519 { public, .. } => writer.string(public),
            Self::Ecdsa { curve, key } => writer
                .string(curve.name().as_bytes())
                .string(&encode_point(*curve, key).map_err(internal)?),
            Self::Rsa(key) => writer.positive(&key.e().to_vec()).positive(&key.n().to_vec()),
        };
        Ok(writer.finish().to_vec())
    }

    /// Writes the fields of an `openssh-key-v1` private section, from the key type on.
    pub(super) fn write_private(&self, writer: &mut Writer) -> Result<(), KeyError> {
        writer.string(self.key_type().as_bytes());
        match self {
            Self::Ed25519 { seed, public } => {
                let mut both = Zeroizing::new([0; 64]);
                both[..32].copy_from_slice(&**seed);
                both[32..].copy_from_slice(public);
                writer.string(public).string(&*both);
            }
            Self::Ecdsa { curve, key } => {
                writer
                    .string(curve.name().as_bytes())
                    .string(&encode_point(*curve, key).map_err(internal)?);
                writer.positive(&secret(key.private_key()));
            }
            Self::Rsa(key) => {
                let (Some(p), Some(q)) = (key.p(), key.q()) else {
                    return Err(MISMATCH);
                };
                let inverse = inverse(q, p).map_err(internal)?;
                writer
                    .positive(&key.n().to_vec())
                    .positive(&key.e().to_vec())
                    .positive(&secret(key.d()));
                writer
                    .positive(&secret(&inverse))
                    .positive(&secret(p))
                    .positive(&secret(q));
            }
        }
        Ok(())
    }

    pub(super) fn key_type(&self) -> &'static str {
        match self {
            Self::Ed25519 { .. } => "ssh-ed25519",
            Self::Ecdsa { curve, .. } => curve.key_type(),
            Self::Rsa(_) => "ssh-rsa",
        }
    }

    /// Only where the key type does not settle it.
    pub(super) fn bits(&self) -> Option<i32> {
        match self {
            Self::Rsa(key) => Some(key.n().num_bits()),
            _ => None,
        }
    }

    fn from_ec(key: EcKey<Private>) -> Result<Self, KeyError> {
        let curve = key
            .group()
            .curve_name()
            .and_then(|nid| Curve::ALL.into_iter().find(|curve| curve.nid() == nid));
        let curve = curve.ok_or_else(|| KeyError::UnsupportedType("ECDSA on a curve SSH does not know".to_owned()))?;
        key.check_key().map_err(|_| MISMATCH)?;
        Ok(Self::Ecdsa { curve, key })
    }

    fn from_point(curve: Curve, point: &[u8], scalar: &[u8]) -> Result<Self, KeyError> {
        let assemble = || {
            let group = EcGroup::from_curve_name(curve.nid())?;
            let mut context = BigNumContext::new()?;
            let point = EcPoint::from_bytes(&group, point, &mut context)?;
            EcKey::from_private_components(&group, &*BigNum::from_slice(scalar)?, &point)
        };
        Self::from_ec(assemble().map_err(|_| MISMATCH)?)
    }

    fn from_rsa(key: Rsa<Private>) -> Result<Self, KeyError> {
        let bits = key.n().num_bits();
        if bits < RSA_LEAST_BITS {
            return Err(KeyError::RsaTooShort { bits });
        }
        if bits > RSA_MOST_BITS {
            return Err(KeyError::RsaTooLong { bits });
        }
        if key.p().is_none() || key.q().is_none() || !key.check_key().unwrap_or(false) {
            return Err(MISMATCH);
        }
        Ok(Self::Rsa(key))
    }
}

const MISMATCH: KeyError = KeyError::Damaged("its public and private halves do not belong together");

/// Why a key of this SSH name is not taken.
pub(super) fn refused_type(key_type: &str) -> KeyError {
    match key_type {
        "ssh-dss" => KeyError::Dsa,
        name if name.contains("-cert-v01@") => KeyError::Certificate,
        name if name.starts_with("sk-") => KeyError::SecurityKey,
        name => KeyError::UnsupportedType(name.chars().filter(char::is_ascii_graphic).take(64).collect()),
    }
}

pub(super) fn internal(error: ErrorStack) -> KeyError {
    KeyError::Internal(error)
}

fn secret(number: &BigNumRef) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(number.to_vec())
}

fn encode_point(curve: Curve, key: &EcKey<Private>) -> Result<Vec<u8>, ErrorStack> {
    let group = EcGroup::from_curve_name(curve.nid())?;
    let mut context = BigNumContext::new()?;
    key.public_key()
        .to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut context)
}

fn inverse(number: &BigNumRef, modulus: &BigNumRef) -> Result<BigNum, ErrorStack> {
    let mut context = BigNumContext::new()?;
    let mut inverse = BigNum::new_secure()?;
    inverse.mod_inverse(number, modulus, &mut context)?;
    Ok(inverse)
}

/// The exponents of the Chinese remainder theorem are not in the OpenSSH form and are computed.
#[expect(clippy::many_single_char_names, reason = "RFC 8017 names them so")]
fn assemble_rsa(n: BigNum, e: BigNum, d: BigNum, p: BigNum, q: BigNum) -> Result<Rsa<Private>, ErrorStack> {
    let mut context = BigNumContext::new()?;
    let mut exponent = |prime: &BigNumRef| -> Result<BigNum, ErrorStack> {
        let mut less = prime.to_owned()?;
        less.sub_word(1)?;
        let mut exponent = BigNum::new_secure()?;
        exponent.nnmod(&d, &less, &mut context)?;
        Ok(exponent)
    };
    let (dmp1, dmq1) = (exponent(&p)?, exponent(&q)?);
    let iqmp = inverse(&q, &p)?;
    Ok(RsaPrivateKeyBuilder::new(n, e, d)?
        .set_factors(p, q)?
        .set_crt_params(dmp1, dmq1, iqmp)?
        .build())
}
