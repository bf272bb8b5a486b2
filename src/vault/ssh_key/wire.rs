//! The SSH data types of RFC 4251 section 5: lengths before strings, and `mpint`.

use super::KeyError;
use zeroize::Zeroizing;

/// Takes values off the front of a message.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], KeyError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(KeyError::Damaged("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn number(&mut self) -> Result<u32, KeyError> {
        let bytes = self.bytes(4)?;
        Ok(bytes.iter().fold(0, |number, &byte| number << 8 | u32::from(byte)))
    }

    pub(super) fn string(&mut self) -> Result<&'a [u8], KeyError> {
        let length = self.number()?;
        self.bytes(length as usize)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, KeyError> {
        std::str::from_utf8(self.string()?).map_err(|_| KeyError::Damaged("a name in it is not text"))
    }

    /// An integer above zero, without leading zero bytes.
    pub(super) fn positive(&mut self) -> Result<&'a [u8], KeyError> {
        let bytes = self.string()?;
        if bytes.first().is_some_and(|first| first & 0x80 != 0) {
            return Err(KeyError::Damaged("a number in it is negative"));
        }
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        Ok(&bytes[zeros..])
    }
}

/// Builds a message. Wiped when dropped, since it may hold a private key.
#[derive(Default)]
pub(super) struct Writer {
    bytes: Zeroizing<Vec<u8>>,
}

impl Writer {
    /// With room for `capacity` bytes: one that has to grow leaves a copy behind.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self {
            bytes: Zeroizing::new(Vec::with_capacity(capacity)),
        }
    }

    pub(super) fn finish(self) -> Zeroizing<Vec<u8>> {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub(super) fn number(&mut self, number: u32) -> &mut Self {
        self.raw(&number.to_be_bytes())
    }

    pub(super) fn string(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u32).raw(bytes)
    }

    /// `big_endian` as an `mpint`: shortest form, with a zero byte before a set top bit.
    pub(super) fn positive(&mut self, big_endian: &[u8]) -> &mut Self {
        let zeros = big_endian.iter().take_while(|&&byte| byte == 0).count();
        let digits = &big_endian[zeros..];
        let sign = usize::from(digits.first().is_some_and(|first| first & 0x80 != 0));
        self.number((digits.len() + sign) as u32).raw(&[0][..sign]).raw(digits)
    }
}
