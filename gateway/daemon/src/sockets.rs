//! Sockets that the service manager holds. It opens ports below 1024 for a gateway that has no right to, and it keeps every one of them
//! open while the gateway restarts: who connects meanwhile waits instead of being refused.
//!
//! A socket is told by its name (`FileDescriptorName=` of its unit, docs/ports.md) and stands in the place of an address of the
//! configuration. One that nothing here would serve is a mistake and named: its clients would wait for ever.

use crate::config::{Config, WebAccess};
use listenfd::ListenFd;
use rustix::io::{FdFlags, fcntl_setfd};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd as _;
use std::process::Command;
use std::sync::Arc;

/// The page and the HTTP API, in place of `web.listen`.
const PAGE: &str = "page";
/// Nodes and site clients, in place of `field.listen`.
const MQTT: &str = "mqtt";
/// The same inside TLS, in place of `field.tls_listen`.
const MQTTS: &str = "mqtts";

/// Sockets that were open before the gateway was; none, usually.
///
/// They stay open here for the life of the process, so that a part which ends gives its port to the part that follows.
#[derive(Debug, Default)]
pub struct Sockets {
    /// By name, in the order in which they were handed over.
    held: Vec<(String, Arc<TcpListener>)>,
}

/// Why a socket cannot be served; fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// No part of the gateway has this name.
    #[error(
        "take the socket `{0}`: the gateway knows page, mqtt and mqtts; set FileDescriptorName= of the socket unit"
    )]
    Unknown(String),
    /// Two of one name.
    #[error(
        "take the socket `{0}` twice: one is enough, ListenStream= with a port alone is IPv4 and IPv6"
    )]
    Twice(String),
    /// Not a TCP socket.
    #[error("take the socket `{name}`: {error}")]
    Unusable {
        /// Its name.
        name: String,
        /// What the system said.
        error: io::Error,
    },
    /// There is no certificate to show.
    #[error(
        "take the socket `mqtts`: field.tls_listen, tls_cert and tls_key are not set; disable prepaid-gateway-mqtts.socket or set them"
    )]
    NoCertificate,
    /// Nodes do not connect to the gateway.
    #[error("take the socket `{0}`: nodes come through field.broker; disable its socket unit")]
    ExternalBroker(String),
    /// The page without a login would be open to the network.
    #[error(
        "take the socket `page`: web.access is \"open\" and {0} is not an address of this machine alone"
    )]
    Open(SocketAddr),
}

impl Sockets {
    /// What the service manager has handed over (sd_listen_fds(3)). To be asked once, before there are threads.
    ///
    /// # Errors
    /// A socket that the gateway has no use for.
    pub fn inherited() -> Result<Self, SocketError> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut given = ListenFd::from_env();
        let mut held = Vec::new();
        for (index, name) in named(&names, given.len())?.into_iter().enumerate() {
            let taken = given.take_tcp_listener(index);
            let taken =
                taken.and_then(|socket| socket.ok_or_else(|| io::ErrorKind::NotFound.into()));
            match taken {
                Ok(socket) => held.push((name, Arc::new(socket))),
                Err(error) => return Err(SocketError::Unusable { name, error }),
            }
        }
        Ok(Self { held })
    }

    /// That each of them has somebody who serves it with this configuration.
    ///
    /// # Errors
    /// The first that has none, or that would let everybody in.
    pub fn check(&self, config: &Config) -> Result<(), SocketError> {
        for (name, socket) in &self.held {
            if name == PAGE {
                let address = local(socket);
                if config.web.access == WebAccess::Open
                    && !address.ip().to_canonical().is_loopback()
                {
                    return Err(SocketError::Open(address));
                }
            } else if config.field.broker.is_some() {
                return Err(SocketError::ExternalBroker(name.clone()));
            } else if name == MQTTS && config.field.tls.is_none() {
                return Err(SocketError::NoCertificate);
            }
        }
        Ok(())
    }

    /// The page's listener: the one that was handed over, else a new one at `web.listen`. Needs a tokio runtime.
    ///
    /// # Errors
    /// The address is in use or not this machine's.
    pub async fn page(&self, config: &Config) -> io::Result<tokio::net::TcpListener> {
        let Some(socket) = self.of(PAGE) else {
            return tokio::net::TcpListener::bind(config.web.listen).await;
        };
        let socket = socket.try_clone()?;
        socket.set_nonblocking(true)?;
        tokio::net::TcpListener::from_std(socket)
    }

    /// The listeners of nodes and site clients.
    pub fn field(&self) -> gateway_field::Inherited {
        gateway_field::Inherited {
            plain: self.of(MQTT).cloned(),
            tls: self.of(MQTTS).cloned(),
        }
    }

    /// Gives them to the program this process is about to become.
    ///
    /// # Errors
    /// What the system says; then they end with this program.
    pub fn hand_on(&self, next: &mut Command) -> io::Result<()> {
        let Some((_, first)) = self.held.first() else {
            return Ok(());
        };
        for (_, socket) in &self.held {
            fcntl_setfd(socket, FdFlags::empty())?;
        }
        let names: Vec<_> = self.held.iter().map(|(name, _)| name.as_str()).collect();
        next.env("LISTEN_FDS", names.len().to_string())
            .env("LISTEN_FDNAMES", names.join(":"))
            .env("LISTEN_FDS_FIRST_FD", first.as_raw_fd().to_string())
            .env("LISTEN_PID", std::process::id().to_string());
        Ok(())
    }

    fn of(&self, name: &str) -> Option<&Arc<TcpListener>> {
        let found = self.held.iter().find(|(held, _)| held == name);
        found.map(|(_, socket)| socket)
    }
}

/// The names of `count` sockets, from the service manager's list of them.
fn named(list: &str, count: usize) -> Result<Vec<String>, SocketError> {
    let mut names = Vec::new();
    let mut given = list.split(':');
    for _ in 0..count {
        let name = given.next().unwrap_or_default().to_owned();
        if ![PAGE, MQTT, MQTTS].contains(&name.as_str()) {
            return Err(SocketError::Unknown(name));
        }
        if names.contains(&name) {
            return Err(SocketError::Twice(name));
        }
        names.push(name);
    }
    Ok(names)
}

fn local(socket: &TcpListener) -> SocketAddr {
    // A socket without an address of its own is open to all for all one knows.
    let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
    socket.local_addr().unwrap_or(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening(names: &[&str]) -> Sockets {
        let any = ("127.0.0.1", 0);
        let open = |name: &&str| {
            let socket = TcpListener::bind(any).unwrap();
            ((*name).to_owned(), Arc::new(socket))
        };
        Sockets {
            held: names.iter().map(open).collect(),
        }
    }

    fn refused(names: &[&str], config: &str) -> String {
        let config = Config::parse(config).unwrap();
        let checked = listening(names).check(&config);
        checked.map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn a_socket_has_one_of_three_names() {
        let said = |list, count| named(list, count).map_err(|error| error.to_string());
        assert_eq!(said("", 0).unwrap(), Vec::<String>::new());
        assert_eq!(
            said("mqtts:page:mqtt", 3).unwrap(),
            ["mqtts", "page", "mqtt"]
        );
        // Names of an older life of the process, without sockets.
        assert_eq!(said("page:mqtt", 0).unwrap(), Vec::<String>::new());
        let unnamed = said("prepaid-gateway-page.socket", 1).unwrap_err();
        assert!(unnamed.contains("FileDescriptorName="), "{unnamed}");
        assert!(
            said("", 1)
                .unwrap_err()
                .contains("knows page, mqtt and mqtts")
        );
        assert!(
            said("page:mqtt:page", 3)
                .unwrap_err()
                .contains("`page` twice")
        );
    }

    #[test]
    fn a_socket_nothing_would_serve_is_named() {
        let broker = "[field.broker]\naddress = \"127.0.0.1:1884\"\n";
        assert_eq!(refused(&["page", "mqtt"], ""), "");
        assert!(refused(&["page", "mqtts"], "").contains("prepaid-gateway-mqtts.socket"));
        assert!(refused(&["mqtt"], broker).contains("nodes come through field.broker"));
        assert_eq!(refused(&["page"], broker), "");
    }

    #[test]
    fn a_page_without_a_login_stays_on_this_machine() {
        let open = "[web]\nlisten = \"127.0.0.1:8080\"\naccess = \"open\"\n";
        assert_eq!(refused(&["page"], open), "");
        let mut sockets = listening(&[]);
        let all = TcpListener::bind(("0.0.0.0", 0)).unwrap();
        sockets.held.push((PAGE.into(), Arc::new(all)));
        let config = Config::parse(open).unwrap();
        assert!(matches!(sockets.check(&config), Err(SocketError::Open(_))));
    }

    #[test]
    fn the_next_program_finds_them_open() {
        let sockets = listening(&["page"]);
        let mut next = Command::new("/bin/sh");
        next.args(["-c", "echo $LISTEN_FDS $LISTEN_FDNAMES $LISTEN_PID; readlink /proc/self/fd/$LISTEN_FDS_FIRST_FD"]);
        sockets.hand_on(&mut next).unwrap();
        let said = String::from_utf8(next.output().unwrap().stdout).unwrap();
        let expected = format!("1 page {}\nsocket:[", std::process::id());
        assert!(said.starts_with(&expected), "{said}");
    }
}
