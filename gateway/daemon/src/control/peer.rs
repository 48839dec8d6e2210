//! Who is at the other end of the control socket, and what they may do.
//!
//! Root and the owner of the database (the service's own user) are suppliers: they can read and write everything anyway. When sudo made somebody
//! root, the record names that somebody, and if a person of the site has the name, that person's role holds: a rule of sudo may let an
//! installer run the command line and no more. Anybody else who may open the socket is the person of the same name, or an operator if nobody
//! has it.
//!
//! A service in a user namespace of its own (`PrivateUsers=`) sees every other user as the same nobody. Such a caller reads and changes nothing,
//! because a record that names nobody is worth nothing.

use gateway_core::person::author::{Way, author};
use gateway_core::person::{Role, is_name};
use gateway_store::{Reader, StoreError};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Largest user database read: a gateway has a few dozen users.
const LARGEST_PASSWD: u64 = 1 << 20;
/// Longest name recorded; the core takes texts up to 64 characters.
const LONGEST_NAME: usize = 32;
/// The user a namespace shows for those it does not map.
const OVERFLOW_UID: u32 = 65_534;

/// The connection's other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    uid: u32,
    behind: Option<String>,
}

impl Caller {
    /// A user by number.
    pub const fn of(uid: u32) -> Self {
        Self { uid, behind: None }
    }

    /// Takes root's word for whom it acts; nobody else's.
    pub fn speaks_for(&mut self, user: &str) {
        if self.uid == 0 && is_name(user) {
            self.behind = Some(user.to_owned());
        }
    }

    /// Whether the system does not say who it is.
    pub const fn is_unknown(&self) -> bool {
        self.uid == OVERFLOW_UID
    }

    fn name(&self) -> String {
        self.behind.clone().unwrap_or_else(|| user_name(self.uid))
    }
}

/// The user who had sudo run this process.
pub fn behind_sudo() -> Option<String> {
    let user = std::env::var("SUDO_USER").ok()?;
    is_name(&user).then_some(user)
}

/// Somebody at the socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// Their user name.
    pub name: String,
    /// What they are here.
    pub role: Role,
}

impl Visitor {
    /// The author of what they ask for.
    pub fn author(&self) -> String {
        author(&self.name, Way::CommandLine)
    }
}

/// The caller, as a person at the site of this database. Reads the files, so that a change of role holds at once.
///
/// # Errors
/// The database cannot be read.
pub fn visitor(caller: &Caller, database: &Path) -> Result<Visitor, StoreError> {
    let name = caller.name();
    let role_or = |other| {
        let known = Reader::open(database)?.person(&name)?;
        Ok::<Role, StoreError>(known.map_or(other, |(person, _)| person.role))
    };
    let is_owner = || std::fs::metadata(database).is_ok_and(|file| file.uid() == caller.uid);
    let role = match caller {
        Caller {
            uid: 0,
            behind: Some(_),
        } => role_or(Role::Supplier)?,
        Caller { uid: 0, .. } => Role::Supplier,
        // First: files of users the namespace does not map look like this caller's own.
        _ if caller.is_unknown() => Role::Auditor,
        _ if is_owner() => Role::Supplier,
        _ => role_or(Role::Operator)?,
    };
    Ok(Visitor { name, role })
}

/// The name of a user by number, or `uid-1000` if the system knows none.
fn user_name(uid: u32) -> String {
    let mut passwd = String::new();
    let file = std::fs::File::open("/etc/passwd");
    let read = file.and_then(|file| file.take(LARGEST_PASSWD).read_to_string(&mut passwd));
    match read {
        Ok(_) => name_in(&passwd, uid).unwrap_or_else(|| format!("uid-{uid}")),
        Err(_) => format!("uid-{uid}"),
    }
}

fn name_in(passwd: &str, uid: u32) -> Option<String> {
    let of = |line: &str| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        let plain = !name.is_empty() && !name.chars().any(char::is_control);
        (plain && number.parse() == Ok(uid)).then(|| name.chars().take(LONGEST_NAME).collect())
    };
    passwd.lines().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_store::Store;

    #[test]
    fn sudo_names_who_stands_behind_root_and_a_stranger_in_a_namespace_only_reads() {
        let dir = std::env::temp_dir().join(format!("pg-peer-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let database = crate::config::database_in(&dir);
        drop(Store::open(&database).unwrap());
        let of = |uid, user: &str| {
            let mut caller = Caller::of(uid);
            caller.speaks_for(user);
            let found = visitor(&caller, &database).unwrap();
            (found.author(), found.role)
        };
        let by_root = ("root via command line".to_owned(), Role::Supplier);
        assert_eq!(of(0, "asha").0, "asha via command line");
        for unfit in ["", "root", "as ha", "asha via page", "gateway", "../x"] {
            assert_eq!(of(0, unfit), by_root, "{unfit}");
        }
        let (stranger, role) = of(3_999_999_999, "asha");
        assert_eq!(
            (stranger.as_str(), role),
            ("uid-3999999999 via command line", Role::Operator)
        );
        assert_eq!(of(OVERFLOW_UID, "asha").1, Role::Auditor);
        // Where everything unmapped looks alike, a file that looks like theirs makes nobody a supplier. Only root can give files away.
        if std::os::unix::fs::chown(&database, Some(OVERFLOW_UID), None).is_ok() {
            assert_eq!(of(OVERFLOW_UID, "asha").1, Role::Auditor);
        }
        assert!(Caller::of(OVERFLOW_UID).is_unknown());
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn the_user_database_is_read_as_it_is() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\nbroken\n:x:7::\nasha:x:1000:1000::/:/bin/sh\n";
        for (uid, expected) in [
            (0, Some("root")),
            (1000, Some("asha")),
            (7, None),
            (1, None),
        ] {
            assert_eq!(name_in(passwd, uid).as_deref(), expected, "{uid}");
        }
    }
}
