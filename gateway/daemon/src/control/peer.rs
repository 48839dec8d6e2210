//! Who is at the other end of the control socket, and what they may do.
//!
//! Root and the owner of the database (the service's own user) are suppliers: they can read and write everything anyway. Anybody else who may
//! open the socket is the person of the same name, with that person's role, or an operator if nobody has the name.

use gateway_core::person::Role;
use gateway_core::person::author::{Way, author};
use gateway_store::{Reader, StoreError};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Largest user database read: a gateway has a few dozen users.
const LARGEST_PASSWD: u64 = 1 << 20;
/// Longest name recorded; the core takes texts up to 64 characters.
const LONGEST_NAME: usize = 32;

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

/// The user of a number, as a person at the site of this database. Reads the files, so that a change of role holds at once.
///
/// # Errors
/// The database cannot be read.
pub fn visitor(uid: u32, database: &Path) -> Result<Visitor, StoreError> {
    let name = user_name(uid);
    let owner = std::fs::metadata(database).map(|file| file.uid());
    let role = match owner {
        _ if uid == 0 => Role::Supplier,
        Ok(owner) if owner == uid => Role::Supplier,
        _ => {
            let person = Reader::open(database)?.person(&name)?;
            person.map_or(Role::Operator, |(person, _)| person.role)
        }
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
    use super::name_in;

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
