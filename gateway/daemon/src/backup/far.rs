//! Sending a backup over SFTP, by OpenSSH's own program.
//!
//! Key, known hosts and a `config`, if there is one, lie in `.ssh` of the data directory, whoever runs the command: what works by hand works by the timer.
//!
//! Invariant: a backup has its name on the far side when it is whole and that machine says that it is on its disk.

use super::lock::{ended, unfit};
use super::{BackupError, Result};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a place over SFTP begins with.
pub const SCHEME: &str = "sftp://";
/// The names `ssh-keygen` gives.
const KEYS: &[&str] = &["id_ed25519", "id_ecdsa", "id_rsa"];

/// A place over SFTP.
#[derive(Debug, PartialEq, Eq)]
pub struct Far {
    /// `user@host`
    host: String,
    port: u16,
    /// From its root, or with `~/` from the user's home; ends with a slash.
    directory: String,
    /// Whose keys and known hosts.
    ssh: PathBuf,
}

impl Far {
    /// Reads `sftp://user@host[:port]/directory`; `/~/directory` is below the user's home.
    ///
    /// # Errors
    /// It is written otherwise.
    pub fn read(to: &str, data: &Path) -> Result<Self> {
        let malformed = || unfit("write the place as sftp://user@host/directory");
        let (host, directory) = to
            .strip_prefix(SCHEME)
            .and_then(|rest| rest.split_once('/'))
            .ok_or_else(malformed)?;
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| malformed())?)
            }
            _ => (host, 22),
        };
        // Such a word would be one of the program's own.
        let plain =
            |text: &str| !text.starts_with('-') && !text.contains(['"', '\\', '\n', '\r', '\0']);
        if host.is_empty() || !plain(host) || !plain(directory) {
            return Err(malformed());
        }
        let directory = directory.trim_end_matches('/');
        let directory = match directory.strip_prefix('~') {
            Some("") => String::new(),
            Some(below) if below.starts_with('/') => format!("{}/", &below[1..]),
            _ => format!("/{directory}/").replace("//", "/"),
        };
        Ok(Self {
            host: host.to_owned(),
            port,
            directory,
            ssh: data.join(".ssh"),
        })
    }

    /// Sends a file: under `part` while it is on its way, under `name` once it is whole and on the disk.
    ///
    /// # Errors
    /// The far side is not reached, is not the known one, does not let us in, or cannot keep it. Nothing has the name then.
    pub fn send(&self, file: &Path, part: &str, name: &str) -> Result<()> {
        let (part, name) = (self.place(part), self.place(name));
        let from = file.display();
        let sent = self.session(&format!(
            "put -f \"{from}\" \"{part}\"\nrename \"{part}\" \"{name}\"\n"
        ));
        if let Err(BackupError::Program { .. }) = &sent {
            // A disk that is full stays so with half a backup on it. What cannot be removed now is written over by the next one.
            let _ = self.session(&format!("-rm \"{part}\"\n"));
        }
        sent
    }

    fn place(&self, name: &str) -> String {
        format!("{}{name}", self.directory)
    }

    fn session(&self, words: &str) -> Result<()> {
        // In an option a percent sign begins a word of the program's own.
        let named = |path: PathBuf| format!("\"{}\"", path.display()).replace('%', "%%");
        let config = self.ssh.join("config");
        let mut sftp = Command::new("sftp");
        sftp.arg("-F");
        match config.exists() {
            true => sftp.arg(&config),
            false => sftp.arg("none"),
        };
        let mut options = vec![
            "BatchMode=yes".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            format!("UserKnownHostsFile={}", named(self.ssh.join("known_hosts"))),
            // A link that has died ends the attempt within a minute or so.
            "ConnectTimeout=30".to_owned(),
            "ServerAliveInterval=15".to_owned(),
            "ServerAliveCountMax=4".to_owned(),
        ];
        let keys = KEYS.iter().map(|name| self.ssh.join(name));
        options.extend(
            keys.filter(|key| key.exists())
                .map(|key| format!("IdentityFile={}", named(key))),
        );
        for option in &options {
            sftp.args(["-o", option]);
        }
        sftp.args(["-b", "-", "-P", &self.port.to_string(), &self.host])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let missing = |_| BackupError::NoProgram("sftp", "openssh-client");
        let mut child = sftp.spawn().map_err(missing)?;
        if let Some(mut input) = child.stdin.take() {
            // Why it does not listen is in its complaints.
            let _ = input.write_all(words.as_bytes());
        }
        ended("sftp", child).map_err(|error| self.explained(error))
    }

    /// What a person does about the refusals that a change of settings ends.
    fn explained(&self, error: BackupError) -> BackupError {
        let BackupError::Program { said, .. } = &error else {
            return error;
        };
        let (host, ssh, port) = (&self.host, self.ssh.display(), self.port);
        let machine = host
            .rsplit_once('@')
            .map_or(&**host, |(_, machine)| machine);
        let machine = machine.trim_matches(['[', ']']);
        let advice = if said.contains("HOST IDENTIFICATION HAS CHANGED") {
            format!(
                "{machine} shows another key than the one in {ssh}/known_hosts: it was set up anew, or somebody stands between. Nothing was sent. \
                 Compare with its owner before you replace the line"
            )
        } else if said.contains("host key is known for") {
            format!(
                "the key of {machine} is not known: compare what `ssh-keyscan -p {port} {machine}` prints with its owner, then append it to {ssh}/known_hosts"
            )
        } else if said.contains("Permission denied (") {
            format!(
                "{host} takes no key from {ssh}: have the line of its .pub file put into authorized_keys there (`ssh-keygen -t ed25519 -N '' -f {ssh}/id_ed25519` makes one)"
            )
        } else {
            // That it was reached is no complaint.
            let said = said
                .lines()
                .filter(|line| !line.starts_with("Connected to "));
            let said = said.collect::<Vec<_>>().join("; ");
            return BackupError::Program {
                program: "sftp",
                said,
            };
        };
        unfit(&advice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_or_refused() {
        let data = Path::new("/d");
        let far = |host: &str, port, directory: &str| Far {
            host: host.into(),
            port,
            directory: directory.into(),
            ssh: "/d/.ssh".into(),
        };
        for (to, meant) in [
            ("sftp://k@host/a/b", far("k@host", 22, "/a/b/")),
            ("sftp://k@host:2222/a b/", far("k@host", 2222, "/a b/")),
            ("sftp://k@[::1]:2222/a", far("k@[::1]", 2222, "/a/")),
            ("sftp://k@[fd00::1]/a", far("k@[fd00::1]", 22, "/a/")),
            ("sftp://k@host/", far("k@host", 22, "/")),
            ("sftp://k@host//a", far("k@host", 22, "/a/")),
            ("sftp://k@host/~", far("k@host", 22, "")),
            ("sftp://k@host/~/a", far("k@host", 22, "a/")),
        ] {
            assert_eq!(Far::read(to, data).unwrap(), meant, "{to}");
        }
        for to in [
            "sftp://",
            "sftp:///a",
            "sftp://host",
            "sftp://host:x/a",
            "sftp://host:70000/a",
            "sftp://-oProxyCommand=x/a",
            "sftp://host/a\"b",
            "sftp://host/a\nrm b",
        ] {
            assert!(Far::read(to, data).is_err(), "{to}");
        }
    }
}
