//! `[backup]`: where encrypted copies of the gateway's memory go.

use super::keys::{key, optional, whole};
use super::{Key, Kind, Mistake, Values};
use std::path::PathBuf;

/// `[backup]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// A directory, or `sftp://user@host[:port]/directory`, with `/~/` below the user's home.
    pub to: Option<String>,
    /// Public keys of age; empty: a passphrase is used.
    pub recipients: Vec<String>,
    /// File with the passphrase, for `gpg --symmetric`.
    pub passphrase_file: Option<PathBuf>,
    /// Backups of this site kept in the directory.
    pub keep: usize,
    /// How old the last one may be before there is an alarm, in days.
    pub alarm_after_days: u64,
}

/// Its keys.
pub(super) const KEYS: &[Key] = &[
    optional(
        "to",
        Kind::Text { max: 256 },
        "\"/media/backup\"",
        "Directory for backups, for example of a USB stick, or \"sftp://user@host/directory\". Below /media and /mnt something must be\n\
         mounted, so that a missing stick is noticed.",
    ),
    optional(
        "recipients",
        Kind::Texts,
        "[\"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\"]",
        "Public keys of age (Debian's package `age`): only their owners can open a backup, this gateway cannot.",
    ),
    optional(
        "passphrase_file",
        Kind::Path,
        "\"/etc/prepaid-gateway/backup-passphrase\"",
        "Instead of recipients: a file whose first line is the passphrase, at least 12 characters (Debian's package `gpg`).",
    ),
    key(
        "keep",
        whole(1, 1_000),
        "14",
        "Backups of this site kept in the directory; older ones are removed. Nothing is removed over SFTP.",
    ),
    key(
        "alarm_after_days",
        whole(0, 365),
        "3",
        "Days without a new backup after which there is an alarm, if `to` names a place.",
    ),
];

pub(super) fn backup(values: &Values, mistakes: &mut Vec<Mistake>) -> Backup {
    let read = Backup {
        to: values.optional_text("backup.to"),
        recipients: values.texts("backup.recipients"),
        passphrase_file: values
            .optional_text("backup.passphrase_file")
            .map(PathBuf::from),
        keep: values.whole("backup.keep"),
        alarm_after_days: values.whole("backup.alarm_after_days"),
    };
    let mut mistake = |key: &'static str, what: &str| {
        mistakes.push(Mistake::at(values.line(key), key, what));
    };
    if read.recipients.iter().any(|key| !key.starts_with("age1")) {
        mistake(
            "backup.recipients",
            "write public keys of age: they begin with age1",
        );
    }
    if !read.recipients.is_empty() && read.passphrase_file.is_some() {
        mistake(
            "backup.passphrase_file",
            "name recipients or a passphrase, not both",
        );
    }
    if read.to.is_some() && read.recipients.is_empty() && read.passphrase_file.is_none() {
        mistake(
            "backup.to",
            "a backup holds keys: name `recipients` or a `passphrase_file`",
        );
    }
    read
}
