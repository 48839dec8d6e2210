//! The envelope of every payload: version, encoding, Ed25519 signature, content.
//!
//! Invariants: the signature covers the topic, so nothing can be moved to another gateway, direction or channel; it is checked before
//! anything is unpacked; unpacking is bounded.

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use gateway_core::order::Hex32;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use std::io::{Read as _, Write as _};

/// Version of the envelope.
const VERSION: u8 = 1;
/// Content as it is.
const PLAIN: u8 = 0;
/// Content as a zlib stream. Deflate and not Zstandard: that is a fifth smaller on a journal and brings a C library, or another encoder
/// of unknown age.
const ZLIB: u8 = 1;
/// What every signature begins with.
const DOMAIN: &[u8] = b"prepaid-gateway/cloud/1\n";
/// Bytes before the content.
pub const HEADER: usize = 2 + 64;
/// Most bytes content may unpack to: sixteen times the largest message, and more than any row.
pub const MOST_CONTENT: u64 = 1 << 20;

/// Why a payload is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// It is shorter than an envelope, or of another version.
    #[error("it is no envelope of this version")]
    NotAnEnvelope,
    /// It was not signed with this key for this topic.
    #[error("its signature is wrong")]
    SignatureWrong,
    /// It does not unpack, or to too much.
    #[error("its content cannot be unpacked")]
    ContentUnreadable,
}

/// An Ed25519 key pair. `Debug` never shows the secret.
pub struct SigningKey {
    pair: Ed25519KeyPair,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.public())
    }
}

impl SigningKey {
    /// The pair that follows from 32 secret random bytes; `None` never happens with that many.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        Some(Self { pair })
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> Hex32 {
        let bytes = self.pair.public_key().as_ref();
        gateway_core::order::Hex(bytes.try_into().unwrap_or([0; 32]))
    }

    /// Seals content for a path (a topic without its prefix). It is packed if that makes it smaller.
    #[must_use]
    pub fn seal(&self, path: &str, content: &[u8]) -> Vec<u8> {
        let packed = pack(content).filter(|packed| packed.len() < content.len());
        let (encoding, body) = match &packed {
            Some(packed) => (ZLIB, packed.as_slice()),
            None => (PLAIN, content),
        };
        let signature = self.pair.sign(&signed(path, encoding, body));
        let mut payload = Vec::with_capacity(HEADER + body.len());
        payload.extend([VERSION, encoding]);
        payload.extend(signature.as_ref());
        payload.extend(body);
        payload
    }
}

/// Opens a payload that came on a path.
///
/// # Errors
/// It is not genuine, or unreadable.
pub fn open(key: &Hex32, path: &str, payload: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    let not_one = EnvelopeError::NotAnEnvelope;
    let (header, body) = payload.split_at_checked(HEADER).ok_or(not_one)?;
    let [VERSION, encoding @ (PLAIN | ZLIB), signature @ ..] = header else {
        return Err(not_one);
    };
    UnparsedPublicKey::new(&ED25519, &key.0)
        .verify(&signed(path, *encoding, body), signature)
        .map_err(|_| EnvelopeError::SignatureWrong)?;
    unpacked(payload).ok_or(EnvelopeError::ContentUnreadable)
}

/// The content of a payload whose signature nobody has checked yet: for the one message that brings its key along.
pub(crate) fn unpacked(payload: &[u8]) -> Option<Vec<u8>> {
    let (header, body) = payload.split_at_checked(HEADER)?;
    if header.get(1) == Some(&PLAIN) {
        let fits = body.len() as u64 <= MOST_CONTENT;
        return fits.then(|| body.to_vec());
    }
    let mut content = Vec::new();
    let mut unpacked = ZlibDecoder::new(body).take(MOST_CONTENT + 1);
    match unpacked.read_to_end(&mut content) {
        Ok(_) if content.len() as u64 <= MOST_CONTENT => Some(content),
        _ => None,
    }
}

fn pack(content: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).ok()?;
    encoder.finish().ok()
}

fn signed(path: &str, encoding: u8, body: &[u8]) -> Vec<u8> {
    [DOMAIN, path.as_bytes(), b"\n", &[encoding], body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32]).expect("a key")
    }

    #[test]
    fn what_was_sealed_is_opened_and_nothing_else() {
        let (ours, path) = (key(1), "ab/up/journal");
        for content in [&b"short"[..], &[b'x'; 5_000], b""] {
            let payload = ours.seal(path, content);
            assert_eq!(open(&ours.public(), path, &payload).as_deref(), Ok(content));
            let wrong = EnvelopeError::SignatureWrong;
            assert_eq!(open(&key(2).public(), path, &payload), Err(wrong));
            assert_eq!(open(&ours.public(), "ab/up/status", &payload), Err(wrong));
            for place in 0..payload.len().min(80) {
                let mut spoiled = payload.clone();
                spoiled[place] ^= 1;
                assert!(open(&ours.public(), path, &spoiled).is_err(), "{place}");
            }
            for length in 0..HEADER {
                assert!(open(&ours.public(), path, &payload[..length]).is_err());
            }
        }
        assert!(ours.seal(path, &[b'x'; 5_000]).len() < 200);
    }

    #[test]
    fn content_that_unpacks_to_too_much_is_dropped() {
        let payload = key(1).seal("p", &[0; (1 << 20) + 1]);
        let unreadable = Err(EnvelopeError::ContentUnreadable);
        assert_eq!(open(&key(1).public(), "p", &payload), unreadable);
    }

    /// Frozen bytes of version 1: do not change this test.
    #[test]
    fn version_1_is_what_it_was() {
        let payload = key(7).seal("00/down/ack", b"{}\n");
        let hex: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(&hex[..4], "0100");
        assert_eq!(&hex[132..], "7b7d0a");
        assert_eq!(FROZEN, &hex[4..132]);
        assert_eq!(
            key(7).public().to_string(),
            "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c"
        );
    }

    const FROZEN: &str = concat!(
        "8f54621cae94553a5e69dc361ac9db2207d3f0e685a85318afd6dfaf834e55c3",
        "e766c41716b43dbb3a75a16eac03d9cf4457d40195d758302e6ff9f669e8f808"
    );
}
