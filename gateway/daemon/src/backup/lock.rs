//! The programs behind a backup: tar packs, age or gpg encrypts.
//!
//! Invariant: what is unencrypted goes through pipes and directories for the owner only.

use super::{BackupError, Result};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Shortest passphrase.
const SHORTEST: usize = 12;
/// Last words of a program that are repeated.
const MOST_SAID: u64 = 2_000;

/// What opens and closes a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lock {
    /// Public keys of age.
    Recipients(Vec<String>),
    /// File with the owner's secret key of age.
    Identity(PathBuf),
    /// File whose first line is a passphrase.
    Passphrase(PathBuf),
}

impl Lock {
    /// What a backup's name ends with.
    pub fn ending(&self) -> &'static str {
        match self {
            Self::Recipients(_) | Self::Identity(_) => "tar.gz.age",
            Self::Passphrase(_) => "tar.gz.gpg",
        }
    }

    fn program(&self) -> (&'static str, &'static str) {
        match self {
            Self::Recipients(_) | Self::Identity(_) => ("age", "age"),
            Self::Passphrase(_) => ("gpg", "gpg"),
        }
    }

    /// The program that encrypts what it reads.
    fn close(&self, home: &Path) -> Result<Command> {
        Ok(match self {
            Self::Recipients(keys) => {
                let mut age = Command::new("age");
                age.args(keys.iter().flat_map(|key| ["-r", key]));
                age
            }
            Self::Passphrase(file) => {
                let mut gpg = gpg(file, home)?;
                gpg.args([
                    "--symmetric",
                    "--cipher-algo",
                    "AES256",
                    // Named, because otherwise an agent is asked for it.
                    "--s2k-count",
                    "65011712",
                    "--s2k-digest-algo",
                    "SHA512",
                    "--compress-algo",
                    "none",
                ]);
                gpg
            }
            Self::Identity(_) => return Err(unfit("a secret key opens a backup and closes none")),
        })
    }

    /// The program that decrypts what it reads.
    fn open(&self, home: &Path) -> Result<Command> {
        Ok(match self {
            Self::Identity(file) => {
                let mut age = Command::new("age");
                age.arg("--decrypt").arg("--identity").arg(file);
                age
            }
            Self::Passphrase(file) => {
                let mut gpg = gpg(file, home)?;
                gpg.arg("--decrypt");
                gpg
            }
            Self::Recipients(_) => {
                return Err(unfit("public keys open no backup: name --identity"));
            }
        })
    }
}

pub(super) fn unfit(what: &str) -> BackupError {
    BackupError::Unfit(what.to_owned())
}

fn gpg(passphrase: &Path, home: &Path) -> Result<Command> {
    let text = std::fs::read_to_string(passphrase).map_err(BackupError::file(passphrase))?;
    let first = text.lines().next().unwrap_or_default();
    if first.chars().count() < SHORTEST {
        let path = passphrase.display();
        return Err(BackupError::Unfit(format!(
            "{path}: the first line is shorter than {SHORTEST} characters"
        )));
    }
    let mut gpg = Command::new("gpg");
    // A home of its own and no agent: nobody's keys or settings matter, and nothing stays running.
    gpg.args([
        "--batch",
        "--quiet",
        "--no-options",
        "--no-symkey-cache",
        "--no-autostart",
    ])
    .args(["--pinentry-mode", "loopback"])
    .arg("--homedir")
    .arg(home)
    .arg("--passphrase-file")
    .arg(passphrase);
    Ok(gpg)
}

/// Packs a directory, encrypts it and writes it to a new file that only its owner reads; waits until it is on the disk.
pub fn pack(from: &Path, lock: &Lock, home: &Path, to: &Path) -> Result<()> {
    let mut options = File::options();
    let new = options.write(true).create_new(true).mode(0o600);
    let file = new.open(to).map_err(BackupError::file(to))?;
    let mut tar = Command::new("tar");
    tar.arg("--create")
        .arg("--gzip")
        .arg("--directory")
        .arg(from)
        .arg(".");
    let whole = file.try_clone().map_err(BackupError::file(to))?;
    piped(
        tar,
        ("tar", "tar"),
        Stdio::null(),
        lock.close(home)?,
        lock.program(),
        file.into(),
    )?;
    whole.sync_all().map_err(BackupError::file(to))
}

/// Decrypts a file and unpacks it into a directory.
pub fn unpack(from: &Path, lock: &Lock, home: &Path, to: &Path) -> Result<()> {
    let file = File::open(from).map_err(BackupError::file(from))?;
    let mut tar = Command::new("tar");
    tar.arg("--extract")
        .arg("--gzip")
        .arg("--no-same-owner")
        .arg("--directory")
        .arg(to);
    piped(
        lock.open(home)?,
        lock.program(),
        file.into(),
        tar,
        ("tar", "tar"),
        Stdio::null(),
    )
}

/// Runs one program into the other. The first one's complaint is told before the second one's.
fn piped(
    mut first: Command,
    (one, one_of): (&'static str, &'static str),
    input: Stdio,
    mut second: Command,
    (other, other_of): (&'static str, &'static str),
    output: Stdio,
) -> Result<()> {
    let missing = |program, package| move |_| BackupError::NoProgram(program, package);
    first
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut source = first.spawn().map_err(missing(one, one_of))?;
    let between = source.stdout.take().map_or_else(Stdio::null, Stdio::from);
    second.stdin(between).stdout(output).stderr(Stdio::piped());
    let sink = second.spawn();
    let sink = match sink {
        Ok(sink) => sink,
        Err(error) => {
            // Nobody reads what it writes any more.
            let _ = source.kill();
            let _ = source.wait();
            return Err(missing(other, other_of)(error));
        }
    };
    // Complaints are far shorter than a pipe holds.
    let done = ended(other, sink);
    ended(one, source)?;
    done
}

/// Waits for a program; its complaints are the error.
pub(super) fn ended(program: &'static str, mut child: Child) -> Result<()> {
    let mut said = String::new();
    if let Some(complaints) = child.stderr.take() {
        // What cannot be read is not repeated.
        let _ = complaints.take(MOST_SAID).read_to_string(&mut said);
    }
    let failed = |said: String| BackupError::Program { program, said };
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) if said.trim().is_empty() => Err(failed(status.to_string())),
        Ok(_) => Err(failed(said.trim().to_owned())),
        Err(error) => Err(failed(error.to_string())),
    }
}
