//! Why the front end turned something away.
//!
//! Decided here: the names. Not decided here: when each applies; the module that rejects says so.

macro_rules! rejections {
    ($($(#[$doc:meta])+ $name:ident = $word:literal,)+) => {
        /// One named reason for closing a connection, refusing a CONNECT or slowing a client down.
        ///
        /// The words of [`Rejection::reason`] are label values of the metrics and never change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rejection {
            $($(#[$doc])+ $name,)+
        }

        impl Rejection {
            /// Every reason, in declaration order.
            pub const ALL: &'static [Rejection] = &[$(Rejection::$name,)+];

            /// The reason as a kebab-case word, as shown in metrics and logs.
            pub fn reason(self) -> &'static str {
                match self { $(Rejection::$name => $word,)+ }
            }
        }
    };
}

rejections! {
    /// The gateway as a whole has as many connections as it accepts.
    TooManyConnections = "too-many-connections",
    /// One address has as many connections as it may have.
    TooManyConnectionsFromAddress = "too-many-connections-from-address",
    /// As many site clients are connected as there may be.
    TooManySiteClients = "too-many-site-clients",
    /// The TLS handshake failed or took too long.
    TlsHandshakeFailed = "tls-handshake-failed",
    /// No complete CONNECT arrived in time.
    ConnectTimedOut = "connect-timed-out",
    /// The client speaks another protocol level than MQTT 3.1.1.
    ProtocolNotSupported = "protocol-not-supported",
    /// A packet breaks MQTT 3.1.1.
    MalformedPacket = "malformed-packet",
    /// A packet claims more bytes than this client may send.
    PacketTooLarge = "packet-too-large",
    /// A well-formed packet at a moment or from a side where it has no place.
    UnexpectedPacket = "unexpected-packet",
    /// The client id is empty, too long, unprintable, or not the node's own.
    ClientIdRefused = "client-id-refused",
    /// User name or password is wrong, or absent where one is needed.
    NotAuthorized = "not-authorized",
    /// Too many failed passwords for this user name from this address.
    AuthenticationRateLimited = "authentication-rate-limited",
    /// Too many connections fight over one client id.
    TakeOverRateLimited = "take-over-rate-limited",
    /// A will from a node, or a will to a topic that the client may not publish to.
    WillNotAllowed = "will-not-allowed",
    /// A publish to a topic that is not the client's.
    PublishNotAllowed = "publish-not-allowed",
    /// A subscription to a filter that is not the client's.
    SubscribeNotAllowed = "subscribe-not-allowed",
    /// QoS 2 from a node.
    QosNotSupported = "qos-not-supported",
    /// A topic has more bytes or levels than any real one.
    TopicTooLong = "topic-too-long",
    /// The site already uses as many distinct topics as the router may remember.
    TooManyTopics = "too-many-topics",
    /// The client or the site already has as many filters as the router may remember.
    TooManyFilters = "too-many-filters",
    /// The retained messages of the site fill their space; the message is delivered, not kept.
    RetainedStoreFull = "retained-store-full",
    /// More QoS 2 publishes are half done than a client may have.
    TooManyUnreleased = "too-many-unreleased",
    /// Nothing was heard for one and a half keep-alive times, or for the idle limit.
    KeepAliveExpired = "keep-alive-expired",
    /// The client does not read what was sent to it.
    SlowReader = "slow-reader",
    /// The client reads but does not acknowledge.
    DeliveryNotAcknowledged = "delivery-not-acknowledged",
    /// The caller dropped an uplink without accepting it; the node sends it again.
    UplinkNotStored = "uplink-not-stored",
    /// Faster than the publish rate; the socket is not read for a while, nothing is lost. Through an
    /// external broker the frame is dropped: the node is not told that it is stored.
    PublishRateLimited = "publish-rate-limited",
    /// The node or account was removed, or got another password.
    CredentialsRevoked = "credentials-revoked",
    /// A newer connection of the same client took over.
    TakenOver = "taken-over",
    /// The in-process router does not answer, or has no link left.
    RouterUnavailable = "router-unavailable",
    /// Nobody takes uplinks any more.
    InboxClosed = "inbox-closed",
    /// The external broker delivered a topic that is no node's.
    MalformedTopic = "malformed-topic",
    /// The external broker delivered a frame of a node that is not provisioned.
    UnknownNode = "unknown-node",
    /// A retained message on a node's topic: a frame is said once.
    RetainedUplink = "retained-uplink",
    /// The external broker delivered more than may wait; it delivers the rest again.
    TooManyUnacknowledged = "too-many-unacknowledged",
}

impl std::fmt::Display for Rejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.reason())
    }
}
