//! Updates: a package takes the present one's place if its maker has signed it, and the present one comes back if it does not work.
//!
//! | module | decides |
//! |---|---|
//! | [`version`] | which of two versions is older |
//! | [`keys`] | whose signatures count |
//! | [`letter`] | what a maker says of a package, and how it is signed |
//! | [`examine`] | whether a package may be installed on this machine |
//! | [`source`] | where a package comes from |
//! | [`place`] | what is kept where, and where an update stands |
//! | [`watch`] | whether a version works |
//! | [`known`] | what the page says of it |
//! | [`carry`] | the steps, each of which can be the last before a power cut |
//!
//! Terms: *letter*: the signed text beside a package (`FILE.deb.sig`); *floor*: the oldest version that may be installed, raised by letters of
//! security releases, never lowered.
//!
//! Invariants: nothing is installed that is not signed with a key of the site, or is older than the floor; the version before is at hand before
//! the new one is begun with; what does the work is a copy of the program that worked before it; the database is never put back.

pub mod carry;
pub mod examine;
pub mod keys;
pub mod known;
pub mod letter;
pub mod place;
pub mod source;
pub mod version;
pub mod watch;

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
    #[error("there is no signed package for this machine in {0}")]
    NoPackage(String),
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
    /// An earlier one has not come to its end.
    #[error("an update is under way; see `update status`")]
    UnderWay,
    /// Nothing to go back to.
    #[error("no version before the last update is kept")]
    NoPrevious,
    /// The present version cannot be kept.
    #[error("the present version could not be packed to come back to it ({why}); put its package at {}", package.display())]
    NoWayBack { package: PathBuf, why: String },
    /// The place of updates is somebody else's.
    #[error("{} must belong to root alone; remove it", .0.display())]
    NotRoots(PathBuf),
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
            Self::UnderWay => "under-way",
            Self::NoPrevious => "no-previous",
            Self::NoWayBack { .. } => "no-way-back",
            Self::NotRoots(_) => "not-roots",
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

/// Makes the root file system of an image writable for a command.
const WRITABLE: &str = "/usr/sbin/with-writable-root";

/// What a program prints, if it ends well.
fn says(program: &str, words: &[&str]) -> Result<String> {
    heard(Command::new(program).args(words), program)
}

/// The same in a directory.
fn says_in(program: &str, words: &[&str], directory: &Path) -> Result<String> {
    let mut command = Command::new(program);
    heard(command.args(words).current_dir(directory), program)
}

/// What a program says that changes what is installed. `preinst` of an older version is told that it comes back on purpose.
fn packaged(program: &str, words: &[&str]) -> Result<String> {
    let mut command = if Path::new(WRITABLE).exists() {
        let mut command = Command::new(WRITABLE);
        command.arg(program);
        command
    } else {
        Command::new(program)
    };
    command.args(words).env("DEBIAN_FRONTEND", "noninteractive");
    command.env("PREPAID_GATEWAY_ALLOW_DOWNGRADE", "1");
    heard(&mut command, program)
}

fn heard(command: &mut Command, program: &str) -> Result<String> {
    let output = command.env("LC_ALL", "C").stdin(Stdio::null()).output();
    let output = output.map_err(file(Path::new(program)))?;
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
