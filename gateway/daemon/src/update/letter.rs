//! The letter beside a package: lines `name: value`, the last one `signature:`, an Ed25519 signature in base64 over all bytes before it.
//!
//! A later version may add lines; one that an older reader must not pass over changes the first line.

use super::keys::Key;
use super::version::Version;
use super::{PACKAGE, Result, UpdateError, beside, file, says};
use base64ct::{Base64, Encoding as _};
use ring::signature::Ed25519KeyPair;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// First line: what it is, and its layout.
const FIRST: &str = "prepaid-gateway update 1";
/// Largest letter, in bytes: it has some hundred.
const LARGEST: u64 = 4_096;
/// Before the signature.
const SIGNATURE: &str = "signature: ";

/// What a maker says of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The package's name.
    pub package: String,
    /// Its version.
    pub version: Version,
    /// dpkg's name of the architecture.
    pub architecture: String,
    /// Size of the file.
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// The oldest version that may be installed once this one works.
    pub floor: Option<Version>,
    /// When it was signed, UTC.
    pub signed: String,
}

/// The letter's path.
pub fn of(package: &Path) -> PathBuf {
    beside(package, ".sig")
}

/// Reads the letter beside a package; also says which key has signed it.
///
/// # Errors
/// There is none, no key of the site has signed it, or it is no letter.
pub fn read(package: &Path, keys: &[Key]) -> Result<(Letter, String)> {
    let letter = of(package);
    let unsigned = |_| UpdateError::Unsigned {
        package: package.to_owned(),
        letter: letter.clone(),
    };
    let opened = File::open(&letter).map_err(unsigned)?;
    let bad = |why: String| UpdateError::BadLetter {
        letter: letter.clone(),
        why,
    };
    let mut text = String::new();
    let length = opened.take(LARGEST + 1).read_to_string(&mut text);
    let length = length.map_err(|_| bad("it is not text".into()))?;
    if length as u64 > LARGEST {
        return Err(bad("it is too long".into()));
    }
    let (signed, signature) = parted(&text).map_err(bad)?;
    let by = keys.iter().find(|key| key.has_signed(signed, &signature));
    let by = by.ok_or_else(|| UpdateError::UnknownSignature {
        letter: letter.clone(),
        keys: keys.len(),
    })?;
    let said = std::str::from_utf8(signed).unwrap_or_default();
    let read = said.parse::<Letter>().map_err(bad)?;
    Ok((read, by.name.clone()))
}

/// What was signed, and the signature.
fn parted(text: &str) -> std::result::Result<(&[u8], Vec<u8>), String> {
    let (signed, signature) = text.rsplit_once(SIGNATURE).ok_or("it has no signature")?;
    if !signed.ends_with('\n') {
        return Err("its signature has no line of its own".into());
    }
    let signature = Base64::decode_vec(signature.trim_end());
    let signature = signature.map_err(|_| "its signature is no base64")?;
    Ok((signed.as_bytes(), signature))
}

impl FromStr for Letter {
    type Err = String;

    /// Reads what was signed.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let mut lines = text.lines();
        if lines.next() != Some(FIRST) {
            return Err(format!("it does not begin with {FIRST:?}"));
        }
        let mut values = BTreeMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").ok_or("a line has no name")?;
            if values.insert(name, value).is_some() {
                return Err(format!("it has two lines `{name}`"));
            }
        }
        let mut take = |name: &str| {
            let value = values.remove(name).filter(|value| !value.is_empty());
            value.map(str::to_owned)
        };
        let mut need = |name: &str| take(name).ok_or(format!("it lacks `{name}`"));
        Ok(Self {
            package: need("package")?,
            version: need("version")?.parse()?,
            architecture: need("architecture")?,
            bytes: need("bytes")?.parse().map_err(|_| "`bytes` is no number")?,
            sha256: need("sha256")?,
            signed: need("signed")?,
            floor: take("floor").map(|floor| floor.parse()).transpose()?,
        })
    }
}

impl Letter {
    /// The text that is signed.
    fn text(&self) -> String {
        let mut text = format!(
            "{FIRST}\npackage: {}\nversion: {}\narchitecture: {}\nbytes: {}\nsha256: {}\nsigned: {}\n",
            self.package, self.version, self.architecture, self.bytes, self.sha256, self.signed
        );
        if let Some(floor) = &self.floor {
            text.push_str(&format!("floor: {floor}\n"));
        }
        text
    }

    /// The whole letter.
    pub fn signed_with(&self, pair: &Ed25519KeyPair) -> String {
        let mut text = self.text();
        let signature = Base64::encode_string(pair.sign(text.as_bytes()).as_ref());
        text.push_str(&format!("{SIGNATURE}{signature}\n"));
        text
    }
}

/// Signs a package: writes the letter beside it and returns it.
///
/// # Errors
/// It is no package of the gateway, the floor lies above it, or a file cannot be read or written.
pub fn sign(package: &Path, pair: &Ed25519KeyPair, floor: Option<Version>) -> Result<Letter> {
    let path = package.to_string_lossy();
    let field = |name| says("dpkg-deb", &["-f", &path, name]);
    let name = field("Package")?;
    if name != PACKAGE {
        return Err(UpdateError::OtherPackage(name));
    }
    let (version, letter) = (field("Version")?, of(package));
    let unfit = |why| UpdateError::BadLetter {
        letter: letter.clone(),
        why,
    };
    let version: Version = version.parse().map_err(unfit)?;
    if let Some(floor) = floor.as_ref().filter(|floor| **floor > version) {
        let why = format!("its floor {floor} lies above its own version {version}");
        return Err(unfit(why));
    }
    let (bytes, sha256) = sum(package)?;
    let written = Letter {
        package: name,
        version,
        architecture: field("Architecture")?,
        bytes,
        sha256,
        floor,
        signed: crate::backup::now(),
    };
    fs::write(&letter, written.signed_with(pair)).map_err(file(&letter))?;
    Ok(written)
}

/// Size and SHA-256 of a file.
///
/// # Errors
/// It cannot be read.
pub fn sum(path: &Path) -> Result<(u64, String)> {
    let mut hasher = Sha256::new();
    let mut opened = File::open(path).map_err(file(path))?;
    let (mut bytes, mut portion) = (0, vec![0; 1 << 16]);
    loop {
        match opened.read(&mut portion).map_err(file(path))? {
            0 => break,
            read => {
                bytes += read as u64;
                hasher.update(portion.get(..read).unwrap_or_default());
            }
        }
    }
    let digest = hasher.finalize();
    let digits = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((bytes, digits))
}
