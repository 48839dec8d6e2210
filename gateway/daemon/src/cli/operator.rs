//! `operator set-password`: the first password of a site, and the way back in. The next start takes it over; everybody else's is set with
//! `person`.

use super::said::{Failure, Result, Said};
use super::secret::random_hex;
use crate::config::operator_password_in;
use serde_json::json;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const DOING: &str = "set the operator's password";
/// Random bytes of a generated password: 80 bits.
const GENERATED_BYTES: usize = 10;
/// Longest line read; the hash takes less.
const LONGEST: u64 = 1_024;

/// `operator set-password`
pub fn set_password(data: &Path, generate: bool) -> Result {
    let password = if generate {
        random_hex(GENERATED_BYTES).ok_or_else(|| failure("no-randomness", "try again"))?
    } else {
        typed_twice()?
    };
    let hash = gateway_web::hash_password(&password)
        .map_err(|error| Failure::refused(DOING, "password-unusable", error))?;
    let path = write(data, &hash).map_err(|error| {
        let why = format!(
            "{}: {error}; run it as the owner of the data directory",
            data.display()
        );
        failure("cannot-write", why)
    })?;
    let mut json = json!({ "written": path.display().to_string() });
    let mut text = format!(
        "written to {}; restart the service, and log in as operator",
        path.display()
    );
    if generate {
        text = format!("password: {password}\n{text}");
        json["password"] = password.into();
    }
    Ok(Said::done(text, json))
}

fn failure(name: &'static str, why: impl std::fmt::Display) -> Failure {
    Failure::refused(DOING, name, why)
}

/// A password typed twice, on a terminal unseen.
pub fn typed_twice() -> std::result::Result<String, Failure> {
    let _quiet = Quiet::start();
    let first = typed("Password: ")?;
    let second = typed("Again: ")?;
    if first == second {
        Ok(first)
    } else {
        Err(failure(
            "passwords-differ",
            "the two passwords differ; try again",
        ))
    }
}

fn typed(prompt: &str) -> std::result::Result<String, Failure> {
    let terminal = io::stdin().is_terminal();
    if terminal {
        // A prompt that cannot be shown hinders nobody.
        let _ = write!(io::stderr(), "{prompt}");
    }
    let mut line = String::new();
    let read = io::stdin().lock().take(LONGEST).read_line(&mut line);
    if terminal {
        let _ = writeln!(io::stderr());
    }
    match read {
        Ok(0) => Err(failure("no-password", "type it twice, or use --generate")),
        Ok(_) => Ok(line.trim_end_matches(['\n', '\r']).into()),
        Err(error) => Err(failure("no-password", error)),
    }
}

/// While it lives, a terminal does not show what is typed.
struct Quiet(bool);

impl Quiet {
    fn start() -> Self {
        Self(io::stdin().is_terminal() && stty("-echo"))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if self.0 {
            stty("echo");
        }
    }
}

fn stty(word: &str) -> bool {
    let status = Command::new("stty")
        .arg(word)
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// Writes the hash whole or not at all, readable by its owner only, who is the owner of the directory.
fn write(data: &Path, hash: &str) -> io::Result<PathBuf> {
    // Before the first start there is none; nobody but its owner needs to see into it.
    let mut dir = fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut dir, 0o750);
    dir.recursive(true).create(data)?;
    let path = operator_password_in(data);
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    let owner = fs::metadata(data)?;
    if file.metadata()?.uid() != owner.uid() {
        fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    writeln!(file, "{hash}")?;
    file.sync_all()?;
    fs::rename(&new, &path)?;
    File::open(data)?.sync_all()?;
    Ok(path)
}
