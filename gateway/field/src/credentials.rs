//! Who may connect, changeable while the front end runs.
//!
//! Decided here: whether a user name and password belong together, and as whom. Not decided here:
//! what the client may then do (`acl`), how often one may try (`limits`).
//!
//! Invariants: no password is kept, only its SHA-256; comparing takes the same time for every wrong
//! password and for unknown names; taking an entry away ends the connections that used it.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use prepaid_common::NodeId;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

/// What a site client may do, as MQTT filters. Topics under `pg/` and `$` stay forbidden.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Topics it may publish to.
    pub publish: Vec<String>,
    /// Filters it may subscribe to; a narrower filter than one of these is fine.
    pub subscribe: Vec<String>,
}

/// Why an entry was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Node 0 belongs to the self-test.
    #[error("add node 0: it belongs to the self-test, use 1 to 99999999")]
    ReservedNode,
    /// The node id has more than eight digits.
    #[error("add the node: its id has more than eight digits, use 1 to 99999999")]
    NodeIdTooLarge,
    /// The password is empty.
    #[error("add the login: its password is empty, set one")]
    EmptyPassword,
    /// Eight digits are a node's user name; an empty name is nobody's.
    #[error("add the site account: its user name is empty or eight digits, choose a word")]
    UserNameReserved,
    /// An access filter is not a well-formed MQTT filter.
    #[error("add the site account: one of its filters is not an MQTT filter")]
    MalformedFilter,
}

type PasswordHash = [u8; 32];

struct Login<T> {
    password: PasswordHash,
    who: T,
    /// Dropped with the entry; sessions notice.
    alive: watch::Sender<()>,
}

#[derive(Default)]
struct Table {
    nodes: BTreeMap<u32, Login<()>>,
    accounts: BTreeMap<String, Login<Arc<Access>>>,
    anonymous: Option<Login<Arc<Access>>>,
}

/// The logins of nodes and site clients.
#[derive(Default)]
pub struct Credentials {
    table: RwLock<Table>,
}

/// As whom a client was recognised.
#[derive(Clone, Debug)]
pub(crate) enum Identity {
    Node(NodeId),
    Site { user: String, access: Arc<Access> },
}

/// A recognised client; `revoked` ends when its entry is taken away.
pub(crate) struct Grant {
    pub identity: Identity,
    pub revoked: watch::Receiver<()>,
}

/// The user name and client id of a node: its id as eight digits.
pub fn node_user_name(node: NodeId) -> String {
    format!("{:08}", node.0)
}

/// The node of a user name, if it has the form of one.
pub(crate) fn node_of_user_name(user: &str) -> Option<NodeId> {
    let digits = user.len() == 8 && user.bytes().all(|byte| byte.is_ascii_digit());
    if digits {
        user.parse().ok().map(NodeId)
    } else {
        None
    }
}

impl Credentials {
    /// Nobody may connect.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets a node connect with this password (UTF-8 text), replacing an earlier one.
    ///
    /// A connection that used another password ends.
    ///
    /// # Errors
    /// Node 0, an id above eight digits, an empty password.
    pub fn add_node(&self, node: NodeId, password: &str) -> Result<(), CredentialError> {
        match node.0 {
            0 => return Err(CredentialError::ReservedNode),
            1..=99_999_999 => {}
            _ => return Err(CredentialError::NodeIdTooLarge),
        }
        if password.is_empty() {
            return Err(CredentialError::EmptyPassword);
        }
        self.set_node(node, password);
        Ok(())
    }

    /// [`Credentials::add_node`] without its checks; the self-test's way to node 0.
    pub(crate) fn set_node(&self, node: NodeId, password: &str) {
        let password = hash(password);
        let mut table = self.write();
        if table
            .nodes
            .get(&node.0)
            .is_none_or(|login| login.password != password)
        {
            table.nodes.insert(node.0, login(password, ()));
        }
    }

    /// Takes a node's login away and ends its connection. False if there was none.
    pub fn remove_node(&self, node: NodeId) -> bool {
        node.0 != 0 && self.write().nodes.remove(&node.0).is_some()
    }

    /// Sets up or replaces a site account; its connections end, unless nothing changed.
    ///
    /// # Errors
    /// A user name that is empty or eight digits, an empty password, a malformed filter.
    pub fn set_site_account(
        &self,
        user: &str,
        password: &str,
        access: Access,
    ) -> Result<(), CredentialError> {
        if user.is_empty() || node_of_user_name(user).is_some() {
            return Err(CredentialError::UserNameReserved);
        }
        if password.is_empty() {
            return Err(CredentialError::EmptyPassword);
        }
        check_filters(&access)?;
        let password = hash(password);
        let mut table = self.write();
        let same = |old: &Login<Arc<Access>>| old.password == password && *old.who == access;
        if !table.accounts.get(user).is_some_and(same) {
            table
                .accounts
                .insert(user.to_owned(), login(password, Arc::new(access)));
        }
        Ok(())
    }

    /// Takes a site account away and ends its connections. False if there was none.
    pub fn remove_site_account(&self, user: &str) -> bool {
        self.write().accounts.remove(user).is_some()
    }

    /// Lets clients without any login in as site clients, or none of them. For trying things out:
    /// anybody on the network then has this access.
    ///
    /// # Errors
    /// A malformed filter.
    pub fn set_anonymous(&self, access: Option<Access>) -> Result<(), CredentialError> {
        if let Some(access) = &access {
            check_filters(access)?;
        }
        self.write().anonymous = access.map(|access| login([0; 32], Arc::new(access)));
        Ok(())
    }

    /// Whether a login of this name exists. Never told to the client.
    pub(crate) fn knows(&self, user: &str) -> bool {
        let table = self.read();
        table.accounts.contains_key(user)
            || node_of_user_name(user).is_some_and(|node| table.nodes.contains_key(&node.0))
    }

    /// Recognises a client by name and password, or as an anonymous one if there are neither.
    pub(crate) fn authenticate(&self, user: &str, password: &str) -> Option<Grant> {
        let table = self.read();
        if user.is_empty() && password.is_empty() {
            let open = table.anonymous.as_ref()?;
            return Some(open.grant(Identity::Site {
                user: String::new(),
                access: open.who.clone(),
            }));
        }
        let given = hash(password);
        if let Some(node) = node_of_user_name(user) {
            let login = table.nodes.get(&node.0);
            let right = same_hash(login.map_or(&[0; 32], |login| &login.password), &given);
            return login
                .filter(|_| right)
                .map(|login| login.grant(Identity::Node(node)));
        }
        let login = table.accounts.get(user);
        let right = same_hash(login.map_or(&[0; 32], |login| &login.password), &given);
        login.filter(|_| right).map(|login| {
            login.grant(Identity::Site {
                user: user.to_owned(),
                access: login.who.clone(),
            })
        })
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let table = self.read();
        f.debug_struct("Credentials")
            .field("nodes", &table.nodes.len())
            .field("accounts", &table.accounts.len())
            .field("anonymous", &table.anonymous.is_some())
            .finish()
    }
}

impl<T> Login<T> {
    fn grant(&self, identity: Identity) -> Grant {
        Grant {
            identity,
            revoked: self.alive.subscribe(),
        }
    }
}

fn login<T>(password: PasswordHash, who: T) -> Login<T> {
    Login {
        password,
        who,
        alive: watch::channel(()).0,
    }
}

fn check_filters(access: &Access) -> Result<(), CredentialError> {
    let mut filters = access.publish.iter().chain(&access.subscribe);
    match filters.all(|filter| crate::topic::is_filter(filter)) {
        true => Ok(()),
        false => Err(CredentialError::MalformedFilter),
    }
}

fn hash(password: &str) -> PasswordHash {
    Sha256::digest(password.as_bytes()).into()
}

/// Compares without stopping at the first difference.
fn same_hash(left: &PasswordHash, right: &PasswordHash) -> bool {
    let difference = left
        .iter()
        .zip(right)
        .fold(0u8, |seen, (a, b)| black_box(seen | (a ^ b)));
    black_box(difference) == 0
}
