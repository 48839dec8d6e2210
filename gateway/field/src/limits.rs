//! How many connections there are, per address and in all, and who guesses passwords.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::bucket::Bucket;
use crate::config::Limits;
use crate::rejection::Rejection;

/// Remembered guessers. An entry exists only for a user name that exists, so this is many addresses
/// guessing at many names; beyond it new guessers are refused unheard.
const MAX_GUESSERS: usize = 4096;

#[derive(Default)]
struct Count {
    open: usize,
    unauthenticated: usize,
}

#[derive(Default)]
struct Tables {
    all: Count,
    addresses: BTreeMap<IpAddr, Count>,
    guessers: BTreeMap<(IpAddr, String), Bucket>,
}

/// Counts connections; each holds a [`Slot`] while it lives.
pub(crate) struct Admission {
    limits: Limits,
    tables: Mutex<Tables>,
}

/// A connection's place; gives it back when dropped.
pub(crate) struct Slot {
    admission: Arc<Admission>,
    address: IpAddr,
    authenticated: bool,
}

impl Admission {
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            tables: Mutex::default(),
        })
    }

    /// Takes a place for a new connection, or says which limit is reached.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Slot, Rejection> {
        let address = network_of(address);
        let mut tables = self.lock();
        if tables.all.open >= self.limits.connections
            || tables.all.unauthenticated >= self.limits.unauthenticated
        {
            return Err(Rejection::TooManyConnections);
        }
        let exempt = self.limits.exempt_loopback && address.is_loopback();
        let here = tables.addresses.entry(address).or_default();
        if !exempt
            && (here.open >= self.limits.connections_per_address
                || here.unauthenticated >= self.limits.unauthenticated_per_address)
        {
            return Err(Rejection::TooManyConnectionsFromAddress);
        }
        here.open += 1;
        here.unauthenticated += 1;
        tables.all.open += 1;
        tables.all.unauthenticated += 1;
        Ok(Slot {
            admission: self.clone(),
            address,
            authenticated: false,
        })
    }

    /// Connections open now.
    pub fn open(&self) -> usize {
        self.lock().all.open
    }

    /// Whether this address may try a password for this existing user name.
    pub fn may_guess(&self, address: IpAddr, user: &str, now: Instant) -> bool {
        let tables = self.lock();
        match tables.guessers.get(&(network_of(address), user.to_owned())) {
            Some(bucket) => !bucket.is_empty(now),
            None => tables.guessers.len() < MAX_GUESSERS || tables.any_forgettable(now),
        }
    }

    /// Notes a wrong password for an existing user name.
    pub fn guessed_wrong(&self, address: IpAddr, user: &str, now: Instant) {
        let mut tables = self.lock();
        if tables.guessers.len() >= MAX_GUESSERS {
            tables.guessers.retain(|_, bucket| !bucket.is_full(now));
        }
        tables
            .guessers
            .entry((network_of(address), user.to_owned()))
            .or_insert_with(|| Bucket::new(self.limits.failed_passwords, now))
            .try_take(now);
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn any_forgettable(&self, now: Instant) -> bool {
        self.guessers.values().any(|bucket| bucket.is_full(now))
    }
}

impl Slot {
    /// The connection is no longer an unknown one.
    pub fn authenticated(&mut self) {
        if !self.authenticated {
            self.authenticated = true;
            let mut tables = self.admission.lock();
            tables.all.unauthenticated -= 1;
            if let Some(here) = tables.addresses.get_mut(&self.address) {
                here.unauthenticated -= 1;
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.authenticated();
        let mut tables = self.admission.lock();
        tables.all.open -= 1;
        if let Some(here) = tables.addresses.get_mut(&self.address) {
            here.open -= 1;
            if here.open == 0 {
                tables.addresses.remove(&self.address);
            }
        }
    }
}

/// One household: an IPv4 address, or an IPv6 /64 (a host has as many addresses in it as it likes).
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) if !six.is_loopback() => {
            let [a, b, c, d, ..] = six.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        other => other,
    }
}
