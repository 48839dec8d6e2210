//! What says whether the mains is there, where no pin does: a file of the kernel or of a script, or a server of Network UPS Tools.

use std::fmt;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// A file is asked so often: an edge has to be on disk within 100 ms, its standing still included.
const FILE_EVERY: Duration = Duration::from_millis(20);
/// A server is: it asks its UPS every two seconds or more seldom itself.
const SERVER_EVERY: Duration = Duration::from_millis(500);
/// How long a server may take to answer; it stands on this machine or beside it.
const WITHIN: Duration = Duration::from_secs(2);
/// The port of Network UPS Tools (IANA: nut).
const NUT_PORT: u16 = 3493;
/// Longest text read of a file or server: a status is a few words.
const LONGEST: u64 = 256;

/// Who says whether the mains is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ups {
    /// A file, or with a `*` for one part of its path, some of which one has to say so.
    File(PathBuf),
    /// A server of Network UPS Tools.
    Nut {
        /// The name the server gives the UPS.
        name: String,
        /// Host and port.
        address: String,
    },
}

/// Why a text names no UPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "write the path of a file, \"/sys/class/power_supply/*/online\", or a server of Network UPS Tools, \"nut:NAME@HOST\""
)]
pub struct NoUps;

impl FromStr for Ups {
    type Err = NoUps;

    fn from_str(text: &str) -> Result<Self, NoUps> {
        if let Some(server) = text.strip_prefix("nut:") {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            let (name, host) = server.split_once('@').ok_or(NoUps)?;
            let (host, port) = match host.rsplit_once(':') {
                Some((host, port)) => (host, port.parse().map_err(|_| NoUps)?),
                None => (host, NUT_PORT),
            };
            let fits = |word: &str| !word.is_empty() && word.chars().all(plain);
            return (fits(name) && fits(host))
                .then(|| Self::Nut {
                    name: name.into(),
                    address: format!("{host}:{port}"),
                })
                .ok_or(NoUps);
        }
        let stars = text.split('/').filter(|part| part.contains('*'));
        let is_known = text.starts_with('/') && stars.clone().count() <= 1;
        let is_whole = stars.into_iter().all(|part| part == "*");
        (is_known && is_whole)
            .then(|| Self::File(text.into()))
            .ok_or(NoUps)
    }
}

impl fmt::Display for Ups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Nut { name, address } => write!(f, "nut:{name}@{address}"),
        }
    }
}

/// What an UPS says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    /// The mains is there.
    pub mains: bool,
    /// Its battery is nearly empty.
    pub low: bool,
}

/// Reads what it says; `None`: these are no words of an UPS.
///
/// The kernel's `online` is 1 or 0, its `status` one of five words (Documentation/ABI/testing/sysfs-class-power); OL, OB, LB and FSD are
/// those of Network UPS Tools (`ups.status`).
pub(super) fn said(text: &str) -> Option<Said> {
    let words: Vec<_> = text.split_whitespace().map(str::to_lowercase).collect();
    let has = |word: &str| words.iter().any(|one| one == word);
    let mains = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["0" | "discharging"] => false,
        ["1" | "charging" | "full"] | ["not", "charging"] => true,
        _ if has("ob") || has("fsd") => false,
        _ if has("ol") => true,
        _ => return None,
    };
    let low = !mains && (has("lb") || has("fsd"));
    Some(Said { mains, low })
}

/// Asks an UPS again and again.
pub(super) struct Asking {
    ups: Ups,
    server: Option<BufReader<TcpStream>>,
}

impl Asking {
    pub(super) fn new(ups: Ups) -> Self {
        Self { ups, server: None }
    }

    /// How often.
    pub(super) fn every(&self) -> Duration {
        match self.ups {
            Ups::File(_) => FILE_EVERY,
            Ups::Nut { .. } => SERVER_EVERY,
        }
    }

    /// What it says now; an error is in words.
    pub(super) fn ask(&mut self) -> Result<Said, String> {
        match &self.ups {
            Ups::File(path) => of_files(path),
            Ups::Nut { name, address } => {
                let answer = ask_server(&mut self.server, name, address);
                if answer.is_err() {
                    self.server = None;
                }
                answer
            }
        }
    }
}

fn of_files(path: &Path) -> Result<Said, String> {
    let files = matching(path)?;
    let mut found: Option<Said> = None;
    let mut wrong = format!("there is no {}", path.display());
    for file in files {
        match read(&file) {
            Ok(text) => match (said(&text), found) {
                (Some(one), None) => found = Some(one),
                (Some(one), Some(before)) if one.mains && !before.mains => found = Some(one),
                (Some(_), Some(_)) => {}
                (None, _) => wrong = format!("{} says {:?}", file.display(), text.trim()),
            },
            Err(error) => wrong = format!("{}: {error}", file.display()),
        }
    }
    found.ok_or(wrong)
}

fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(file)?
        .take(LONGEST)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// The files a path stands for.
fn matching(path: &Path) -> Result<Vec<PathBuf>, String> {
    let text = path.to_string_lossy();
    let Some((folder, rest)) = text.split_once("/*") else {
        return Ok(vec![path.to_owned()]);
    };
    let entries = fs::read_dir(folder).map_err(|error| format!("{folder}: {error}"))?;
    let entries = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let rest = rest.trim_start_matches('/');
    let file = |entry: PathBuf| match rest {
        "" => entry,
        rest => entry.join(rest),
    };
    let mut files: Vec<_> = entries.map(file).filter(|file| file.exists()).collect();
    files.sort_unstable();
    Ok(files)
}

/// One question in the protocol of Network UPS Tools (its developer guide, "Network protocol information": GET VAR).
fn ask_server(
    server: &mut Option<BufReader<TcpStream>>,
    name: &str,
    address: &str,
) -> Result<Said, String> {
    let failed = |error: io::Error| format!("{address}: {error}");
    if server.is_none() {
        *server = Some(BufReader::new(connected(address).map_err(failed)?));
    }
    let Some(line) = server else {
        return Err(format!("{address}: not connected"));
    };
    let question = format!("GET VAR {name} ups.status\n");
    line.get_mut()
        .write_all(question.as_bytes())
        .map_err(failed)?;
    let mut answer = String::new();
    let read = line.by_ref().take(LONGEST).read_line(&mut answer);
    read.map_err(failed)?;
    let words = answer.trim();
    let status = words.strip_prefix(&format!("VAR {name} ups.status "));
    let status = status.map(|status| status.trim_matches('"'));
    status
        .and_then(said)
        .ok_or_else(|| format!("{address} says {words:?}"))
}

fn connected(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, WITHIN) {
            Ok(stream) => {
                stream.set_read_timeout(Some(WITHIN))?;
                stream.set_write_timeout(Some(WITHIN))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ups_is_a_file_or_a_server() {
        for (text, right) in [
            ("/sys/class/power_supply/*/online", true),
            ("/run/ups", true),
            ("nut:ups@localhost", true),
            ("nut:ups@10.0.0.2:3493", true),
            ("run/ups", false),
            ("/sys/*/power_supply/*/online", false),
            ("/sys/class/power_supply/BAT*/status", false),
            ("nut:ups", false),
            ("nut:u ps@host", false),
            ("nut:ups@host:port", false),
            ("nut:@host", false),
        ] {
            assert_eq!(text.parse::<Ups>().is_ok(), right, "{text}");
        }
        let server = "nut:ups@localhost"
            .parse::<Ups>()
            .map(|ups| ups.to_string());
        assert_eq!(server.as_deref(), Ok("nut:ups@localhost:3493"));
    }

    #[test]
    fn the_words_of_kernel_and_tools() {
        let is = |mains, low| Some(Said { mains, low });
        for (text, expected) in [
            ("1\n", is(true, false)),
            ("0\n", is(false, false)),
            ("Discharging", is(false, false)),
            ("Not charging", is(true, false)),
            ("Full\n", is(true, false)),
            ("OL CHRG", is(true, false)),
            ("ALARM OL LB RB", is(true, false)),
            ("OB DISCHRG", is(false, false)),
            ("OB DISCHRG LB", is(false, true)),
            ("FSD OL", is(false, true)),
            ("Unknown", None),
            ("OFF", None),
            ("", None),
            ("1 0", None),
        ] {
            assert_eq!(said(text), expected, "{text:?}");
        }
    }
}
