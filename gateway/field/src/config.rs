//! What the caller decides, with defaults that carry their reasons.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::bucket::Rate;
use crate::devices::SiteMessage;
use crate::error::FieldError;
use crate::external::ExternalBroker;

/// Where the front end listens and how much it bears.
#[derive(Debug, Clone, Default)]
pub struct FieldConfig {
    /// Plain MQTT; port 0 takes a free one, see [`crate::Field::local_addr`].
    pub listen: Option<SocketAddr>,
    /// MQTT inside TLS 1.2 or 1.3.
    pub tls: Option<TlsListener>,
    /// Listeners that are open already, in place of those addresses.
    pub inherited: Inherited,
    /// Reach the nodes through this broker instead of own listeners, which are then not opened.
    pub external: Option<ExternalBroker>,
    /// Where a copy of every publish of a site client goes; while it is full they are not copied.
    pub site_messages: Option<mpsc::Sender<SiteMessage>>,
    /// How much is borne.
    pub limits: Limits,
}

/// Listeners that somebody else has opened and keeps open. They are shared: what ends here does not close them.
#[derive(Debug, Clone, Default)]
pub struct Inherited {
    /// In place of [`FieldConfig::listen`].
    pub plain: Option<Arc<TcpListener>>,
    /// In place of [`TlsListener::listen`].
    pub tls: Option<Arc<TcpListener>>,
}

/// An address and the certificate shown there.
#[derive(Debug, Clone)]
pub struct TlsListener {
    /// Port 0 takes a free one, see [`crate::Field::local_tls_addr`].
    pub listen: SocketAddr,
    /// The server side of TLS; [`tls_from_pem`] makes one.
    pub server: Arc<ServerConfig>,
}

/// Builds the TLS server side from a PEM certificate chain and a PEM private key.
///
/// # Errors
/// [`FieldError::Tls`] with what is wrong with either of them.
pub fn tls_from_pem(chain_pem: &[u8], key_pem: &[u8]) -> Result<Arc<ServerConfig>, FieldError> {
    let wrong = |what: &str, why: &dyn std::fmt::Display| FieldError::Tls(format!("{what}: {why}"));
    let chain = CertificateDer::pem_slice_iter(chain_pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong("certificate chain", &error))?;
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|error| wrong("key", &error))?;
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map(Arc::new)
        .map_err(|error| wrong("certificate and key", &error))
}

/// Every limit of the front end. The defaults say why in their documentation.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Open connections, all together. 2048: twice the largest site (1,000 nodes), about 16 KiB each.
    pub connections: usize,
    /// Open connections that have not authenticated. 1024: a whole site that comes back after a
    /// power cut knocks at once.
    pub unauthenticated: usize,
    /// Open connections per address (IPv6: per /64). 64: a few nodes behind one repeater, not a site.
    pub connections_per_address: usize,
    /// Unauthenticated connections per address. 16: one client that knocks too often holds few doors.
    pub unauthenticated_per_address: usize,
    /// Whether loopback addresses are exempt from the two limits per address. True: who is on the
    /// machine can do worse, and a simulated neighbourhood comes from one address.
    pub exempt_loopback: bool,
    /// TLS handshake. 10 s: an ESP8266 at 80 MHz needs up to 4 s for ECDHE with a P-256 key.
    pub tls_handshake: Duration,
    /// From connection (or end of handshake) to a complete CONNECT. 5 s: a node sends it at once.
    pub connect: Duration,
    /// Bytes of a CONNECT. 4 KiB: a will and the longest credentials fit many times.
    pub connect_packet_bytes: usize,
    /// Bytes of a node's packet. 1 KiB: the largest sealed frame is under half of it.
    pub node_packet_bytes: usize,
    /// Bytes of a site client's packet. 64 KiB: a Home Assistant discovery document is under 16.
    pub site_packet_bytes: usize,
    /// Silence allowed with keep-alive 0. 1 h: a half-open connection does not stay for days.
    pub idle: Duration,
    /// Time without progress while bytes wait for the client. 10 s: longer than a Wi-Fi roam.
    pub write: Duration,
    /// Time without PUBACK for a message sent at QoS 1. 20 s: TCP has retransmitted many times.
    pub delivery: Duration,
    /// A node's publishes. 50 at once, then 20 per second: ten times the fastest report interval.
    pub node_publishes: Rate,
    /// A site client's publishes. 1,000 at once (discovery at start), then 200 per second.
    pub site_publishes: Rate,
    /// Take-overs of one client id. 10 at once (a flapping Wi-Fi), then one per 2 s.
    pub take_overs: Rate,
    /// Failed passwords of one user name from one address. 5 at once (typing), then one per 10 s:
    /// 8,640 guesses a day.
    pub failed_passwords: Rate,
    /// Wait before a wrong password is answered. 1 s: guessing costs time, a typo does not hurt.
    pub refusal_delay: Duration,
    /// Unacknowledged publishes per node. 16: a node keeps a handful; memory per node stays 16 KiB.
    pub node_unacknowledged: usize,
    /// Downlink messages waiting per node. 16: commands are level-triggered, the newest counts.
    pub node_downlinks: usize,
    /// Site clients at a time, each with a link into the router. 64.
    pub site_clients: usize,
    /// Filters per site client. 64: Home Assistant uses about 20.
    pub filters_per_client: usize,
    /// Distinct filters per run of the daemon. 256: the router never frees one, each may hold 256 KiB.
    pub filters: usize,
    /// Distinct topics per run of the daemon. 10,000: the router never frees one, each about 500 B.
    pub topics: usize,
    /// Retained messages of the site. 1,000.
    pub retained: usize,
    /// Bytes of all retained messages, topics included. 1 MiB.
    pub retained_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let rate = |burst, interval_ms| Rate {
            burst,
            interval: Duration::from_millis(interval_ms),
        };
        Self {
            connections: 2048,
            unauthenticated: 1024,
            connections_per_address: 64,
            unauthenticated_per_address: 16,
            exempt_loopback: true,
            tls_handshake: Duration::from_secs(10),
            connect: Duration::from_secs(5),
            connect_packet_bytes: 4 * 1024,
            node_packet_bytes: 1024,
            site_packet_bytes: 64 * 1024,
            idle: Duration::from_secs(3600),
            write: Duration::from_secs(10),
            delivery: Duration::from_secs(20),
            node_publishes: rate(50, 50),
            site_publishes: rate(1000, 5),
            take_overs: rate(10, 2000),
            failed_passwords: rate(5, 10_000),
            refusal_delay: Duration::from_secs(1),
            node_unacknowledged: 16,
            node_downlinks: 16,
            site_clients: 64,
            filters_per_client: 64,
            filters: 256,
            topics: 10_000,
            retained: 1000,
            retained_bytes: 1024 * 1024,
        }
    }
}
