//! Makers' keys: Ed25519 in PEM, as `openssl genpkey -algorithm ed25519` writes them (RFC 8410).

use super::{Result, UpdateError, file};
use base64ct::{Base64, Encoding as _};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Where a site keeps the public keys it believes, one `NAME.pub` each.
pub const DIRECTORY: &str = "/etc/prepaid-gateway/update-keys.d";

/// What stands before the 32 bytes of a public key.
const PUBLIC: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// What stands before the 32 bytes of a secret one.
const SECRET: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A public key and what its file calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The file's name without `.pub`.
    pub name: String,
    bytes: [u8; 32],
}

impl Key {
    /// Whether this key has signed a text.
    pub fn has_signed(&self, text: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.bytes);
        key.verify(text, signature).is_ok()
    }

    #[cfg(test)]
    pub fn of(name: &str, pair: &Ed25519KeyPair) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(pair.public_key().as_ref());
        let name = name.to_owned();
        Self { name, bytes }
    }
}

/// The public keys of a directory: every `*.pub` in it, by name.
///
/// # Errors
/// There is none, or one cannot be read: a site must not believe fewer keys than it thinks.
pub fn all(directory: &Path) -> Result<Vec<Key>> {
    let none = || UpdateError::NoKeys(directory.to_owned());
    let entries = fs::read_dir(directory).map_err(|_| none())?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "pub"));
    paths.sort();
    if paths.is_empty() {
        return Err(none());
    }
    paths.iter().map(|path| public(path)).collect()
}

fn public(path: &Path) -> Result<Key> {
    let text = fs::read_to_string(path).map_err(file(path))?;
    let bytes = inner(&text, "PUBLIC KEY").and_then(|der| {
        let key = der.strip_prefix(&PUBLIC)?;
        <[u8; 32]>::try_from(key).ok()
    });
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Ok(Key {
        name: name.into_owned(),
        bytes: bytes.ok_or_else(|| UpdateError::BadKey(path.to_owned()))?,
    })
}

/// A maker's secret key.
///
/// # Errors
/// The file cannot be read, or holds no Ed25519 key.
pub fn secret(path: &Path) -> Result<Ed25519KeyPair> {
    let text = fs::read_to_string(path).map_err(file(path))?;
    let pair = inner(&text, "PRIVATE KEY")
        .and_then(|der| Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).ok());
    pair.ok_or_else(|| UpdateError::BadKey(path.to_owned()))
}

/// Makes a pair: the secret key in `path`, for its owner only, the public one in `path.pub`, whose path is returned.
///
/// # Errors
/// One of the files is there already, or cannot be written.
pub fn make(path: &Path) -> Result<PathBuf> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| UpdateError::File {
        path: path.to_owned(),
        error: std::io::Error::other(error.to_string()),
    })?;
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
        .map_err(|_| UpdateError::BadKey(path.to_owned()))?;
    let beside = super::beside(path, ".pub");
    let mut der = SECRET.to_vec();
    der.extend(seed);
    written(path, 0o600, &pem("PRIVATE KEY", &der))?;
    let mut der = PUBLIC.to_vec();
    der.extend(pair.public_key().as_ref());
    written(&beside, 0o644, &pem("PUBLIC KEY", &der))?;
    Ok(beside)
}

fn written(path: &Path, mode: u32, text: &str) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(mode).open(path);
    let mut opened = opened.map_err(file(path))?;
    let ended = opened.write_all(text.as_bytes());
    ended.and_then(|()| opened.sync_all()).map_err(file(path))
}

/// The bytes of a PEM text.
fn inner(text: &str, kind: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {kind}-----"))?;
    let (inner, _) = rest.split_once(&format!("-----END {kind}-----"))?;
    let inner: String = inner.split_whitespace().collect();
    Base64::decode_vec(&inner).ok()
}

/// Both kinds of key fit on one line of PEM.
fn pem(kind: &str, der: &[u8]) -> String {
    let inner = Base64::encode_string(der);
    format!("-----BEGIN {kind}-----\n{inner}\n-----END {kind}-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_what_openssl_writes() {
        // openssl genpkey -algorithm ed25519; openssl pkey -pubout: a key of nobody.
        let secret = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIM+jIoH7ORUfgHhwsmgD2Vd7p48BFsBl58AoDQTj/Oqw\n-----END PRIVATE KEY-----\n";
        let public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAAfhIh+DgWWC54yj2CIKDeRt76Jn2hLSJGD0i8L1hkVY=\n-----END PUBLIC KEY-----\n";
        let scratch = crate::update::tests::scratch("keys");
        fs::write(scratch.join("maker.pub"), public).expect("written");
        fs::write(scratch.join("maker"), secret).expect("written");
        let keys = all(&scratch).expect("one key");
        let pair = super::secret(&scratch.join("maker")).expect("a secret key");
        assert_eq!(keys[0], Key::of("maker", &pair));
        fs::write(scratch.join("other.pub"), secret).expect("written");
        assert!(matches!(all(&scratch), Err(UpdateError::BadKey(_))));
        fs::remove_dir_all(&scratch).expect("removed");
        assert!(matches!(all(&scratch), Err(UpdateError::NoKeys(_))));
    }

    #[test]
    fn a_pair_that_was_made_fits_and_is_not_made_twice() {
        use std::os::unix::fs::PermissionsExt as _;
        let scratch = crate::update::tests::scratch("pair");
        let path = scratch.join("maker");
        assert_eq!(make(&path).expect("made"), scratch.join("maker.pub"));
        let pair = secret(&path).expect("a secret key");
        let keys = all(&scratch).expect("one key");
        assert!(keys[0].has_signed(b"text", pair.sign(b"text").as_ref()));
        assert!(!keys[0].has_signed(b"texT", pair.sign(b"text").as_ref()));
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(make(&path).is_err());
        fs::remove_dir_all(&scratch).expect("removed");
    }
}
