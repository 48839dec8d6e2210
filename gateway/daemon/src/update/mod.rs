//! Updates: a package takes the present one's place if its maker has signed it.
//!
//! | module | decides |
//! |---|---|
//! | [`version`] | which of two versions is older |
//! | [`keys`] | whose signatures count |
//! | [`letter`] | what a maker says of a package, and how it is signed |
//! | [`examine`] | whether a package may be installed on this machine |
//!
//! Terms: *letter*: the signed text beside a package (`FILE.deb.sig`); *floor*: the oldest version that may be installed, raised by letters of
//! security releases, never lowered.
//!
//! Invariants: nothing is installed that is not signed with a key of the site, or is older than the floor.

pub mod examine;
pub mod keys;
pub mod letter;
pub mod version;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use version::Version;

/// The package's name.
pub const PACKAGE: &str = "prepaid-gateway";

/// Why a package is not installed. In the order in which it is looked for.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// No `*.pub` among the site's keys.
    #[error("there is no key in {}; put the maker's public key there as NAME.pub", .0.display())]
    NoKeys(PathBuf),
    /// A key's file holds no key.
    #[error("{} is no Ed25519 key in PEM; mend or remove it", .0.display())]
    BadKey(PathBuf),
    /// No package where it was looked for.
    #[error("there is no signed package for this machine in {}", .0.display())]
    NoPackage(PathBuf),
    /// No letter beside the package.
    #[error("{} is not signed: {} is missing", package.display(), letter.display())]
    Unsigned { package: PathBuf, letter: PathBuf },
    /// The text beside the package is no letter.
    #[error("{} is no letter this version understands: {why}", letter.display())]
    BadLetter { letter: PathBuf, why: String },
    /// Signed by somebody else, or changed afterwards.
    #[error("{} was not signed by any of the {keys} keys in {}, or was changed since", letter.display(), keys::DIRECTORY)]
    UnknownSignature { letter: PathBuf, keys: usize },
    /// Another program's.
    #[error("it is a package of {0}, not of {PACKAGE}")]
    OtherPackage(String),
    /// For another kind of machine.
    #[error("it is for {found}, and this machine is {here}")]
    OtherArchitecture { found: String, here: &'static str },
    /// The file is shorter than the one that was signed.
    #[error("{} is cut off: {found} of {signed} bytes; copy it again", package.display())]
    Truncated {
        package: PathBuf,
        found: u64,
        signed: u64,
    },
    /// The file is not the one that was signed.
    #[error("{} is not the file that was signed", .0.display())]
    Altered(PathBuf),
    /// The package says something else than its letter.
    #[error("its {field} is {found}, and its letter says {signed}")]
    Contradiction {
        field: &'static str,
        found: String,
        signed: String,
    },
    /// Below the floor.
    #[error(
        "version {version} has a known hole: nothing older than {floor} is installed here any more"
    )]
    BelowFloor { version: Version, floor: Version },
    /// It is installed.
    #[error("version {0} is installed already")]
    Same(Version),
    /// Older than what is installed.
    #[error(
        "{version} is older than the installed {installed}; `update rollback` goes back to the version before"
    )]
    Older {
        version: Version,
        installed: Version,
    },
    /// This is no machine with the package.
    #[error("{PACKAGE} is not installed here as a package; the first one is installed with apt")]
    NotInstalled,
    /// A program failed.
    #[error("{program} says: {said}")]
    Program { program: String, said: String },
    /// A file could not be read or written.
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
}

impl UpdateError {
    /// Stable name for scripts.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoKeys(_) => "no-keys",
            Self::BadKey(_) => "bad-key",
            Self::NoPackage(_) => "no-package",
            Self::Unsigned { .. } => "unsigned",
            Self::BadLetter { .. } => "bad-letter",
            Self::UnknownSignature { .. } => "unknown-signature",
            Self::OtherPackage(_) => "other-package",
            Self::OtherArchitecture { .. } => "other-architecture",
            Self::Truncated { .. } => "truncated",
            Self::Altered(_) => "altered",
            Self::Contradiction { .. } => "contradiction",
            Self::BelowFloor { .. } => "below-floor",
            Self::Same(_) => "same-version",
            Self::Older { .. } => "older",
            Self::NotInstalled => "not-installed",
            Self::Program { .. } => "program-failed",
            Self::File { .. } => "file",
        }
    }
}

/// Shorthand of the module.
pub type Result<T> = std::result::Result<T, UpdateError>;

/// Names the file an error is about.
fn file(path: &Path) -> impl FnOnce(io::Error) -> UpdateError + '_ {
    move |error| UpdateError::File {
        path: path.to_owned(),
        error,
    }
}

/// The path with more behind its name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// What a program prints, if it ends well.
fn says(program: &str, words: &[&str]) -> Result<String> {
    let mut command = Command::new(program);
    command.args(words).env("LC_ALL", "C").stdin(Stdio::null());
    let output = command.output().map_err(file(Path::new(program)))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let said = match text(&output.stderr) {
        said if said.is_empty() => text(&output.stdout),
        said => said,
    };
    let program = program.to_owned();
    Err(UpdateError::Program { program, said })
}

/// The version that is installed as a package.
///
/// # Errors
/// None is.
pub fn installed() -> Result<Version> {
    let said = says("dpkg-query", &["-W", "-f", "${Version}", PACKAGE]);
    let version = said.ok().and_then(|version| version.parse().ok());
    version.ok_or(UpdateError::NotInstalled)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    /// An empty directory.
    pub fn scratch(name: &str) -> PathBuf {
        let name = format!("gateway-update-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).expect("made");
        path
    }
}
