//! What can fail when starting, sending or testing.

use std::net::SocketAddr;

/// Why the front end did not start.
#[derive(Debug, thiserror::Error)]
pub enum FieldError {
    /// An address could not be bound.
    #[error("listen for {listener} on {address}: {source}; is another broker running there?")]
    Bind {
        /// Which listener: `mqtt`, `mqtts` or `self-test`.
        listener: &'static str,
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Neither a plain nor a TLS address is configured.
    #[error("start the field front end: configure `listen`, `tls` or both, or an external broker")]
    NoListener,
    /// Certificate or key are unusable.
    #[error("use the TLS {0}")]
    Tls(String),
    /// The external broker as configured cannot be one.
    #[error("use the external broker: {0}")]
    Broker(&'static str),
    /// The system gave no threads, sockets or random numbers.
    #[error("start the field front end: {0}")]
    System(String),
}

/// The node is not connected, or has not subscribed to its downlink topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("reach the node: it is not connected and subscribed")]
pub struct NotConnected;

/// Which part of the front end does not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelfTestError {
    /// No TCP connection to the own listener.
    #[error("connect to the own listener: {0}")]
    Listener(String),
    /// The listener answers, but not as it should.
    #[error("speak MQTT with the own listener: {0}")]
    Protocol(&'static str),
    /// The uplink was not acknowledged in time: the inbox is not served or nothing is committed.
    #[error("have a test uplink stored in time")]
    UplinkNotAcknowledged,
    /// The router did not hand a message from one link to the other in time.
    #[error("pass a message through the site router in time")]
    Router,
    /// The external broker is not connected; what was last wrong.
    #[error("reach the external broker: {0}")]
    Broker(String),
    /// The external broker took a test frame and did not deliver it.
    #[error(
        "have the external broker return a test frame; does it let the gateway's account read \
         pg/1/+/up and write pg/1/00000000/up?"
    )]
    NotReturned,
    /// The front end is shutting down.
    #[error("test a front end that is shutting down")]
    ShuttingDown,
}
