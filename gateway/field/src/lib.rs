//! Meters in, switches out: the MQTT front end that nodes and the site's other devices connect to.
//!
//! Decided here: who may connect, what each may say and hear, how much is borne, and that a PUBACK
//! to a node means "stored". Not decided here: what a frame means (it is opaque bytes), what a node
//! shall do, and when an uplink is stored; the caller says so with [`Ack::accept`].
//!
//! Terms: a *node* is a meter node, known by its [`prepaid_common::NodeId`]; its user name and client
//! id are the eight digits of it, its topics `pg/1/<id>/up` and `pg/1/<id>/down`. A *site client* is
//! everything else on the site that speaks MQTT (Home Assistant, a shop-bought plug), with a
//! configured account. An *uplink* is a frame from a node, a *downlink* a frame to one.
//!
//! ```text
//! node ──PUBLISH──► node session ──Uplink──► inbox (the caller's, bounded)
//!      ◄──PUBACK───              ◄─accept()─ the caller, after its commit
//!      ◄──PUBLISH──  short queue ◄── Field::send
//! site client ◄──► site session ◄──► rumqttd's router ◄──► site session ◄──► site client
//! ```
//!
//! Invariants:
//! - No node payload enters the router; no site client reads or writes below `pg/`.
//! - No PUBACK to a node before its uplink was accepted.
//! - A client can delay, exhaust or end only its own connection.
//! - No packet, however malformed, panics; each refusal has a name ([`Rejection`]) and a counter.
//! - Every queue, table and wait has a bound with a reason ([`Limits`]).
//!
//! An external broker instead ([`ExternalBroker`]): the gateway is one of its clients. The broker
//! decides who may connect and may publish on which topic; the rest is security of the sealed
//! frames, and a PUBACK that a node gets means no more than that the broker has the frame.
//!
//! MQTT 3.1.1 only; a client of another version is told so. Sessions are not kept across
//! connections (session present is always 0): nodes keep what is not acknowledged, commands are
//! level-triggered.
//!
//! rumqttd traces with the `tracing` crate, which without a subscriber turns into three log records
//! at error level per message. The process must therefore set one before the first client connects:
//! `tracing::subscriber::set_global_default(tracing::subscriber::NoSubscriber::default())`.

mod acl;
mod answer;
mod bucket;
mod config;
mod credentials;
pub mod devices;
mod downlink;
mod error;
mod external;
mod field;
mod frame;
pub mod gpio;
mod handshake;
mod limits;
pub mod link;
mod listener;
pub mod modbus;
pub mod models;
mod node_session;
mod own;
mod pipe;
mod quality;
mod registry;
mod rejection;
mod retained;
mod router;
mod router_feed;
mod router_link;
mod self_test;
mod session;
mod site_session;
mod stats;
mod topic;
mod uplink;
mod will;

pub use acl::{down_topic, up_topic};
pub use bucket::Rate;
pub use config::{FieldConfig, Inherited, Limits, TlsListener, tls_from_pem};
pub use credentials::{Access, CredentialError, Credentials, node_user_name};
pub use error::{FieldError, NotConnected, SelfTestError};
pub use external::{DeviceLogin, ExternalBroker};
pub use field::{Field, SitePublish};
pub use quality::{LinkBoard, LinkQuality};
pub use registry::FieldEvent;
pub use rejection::Rejection;
pub use self_test::{SELF_TEST_NODE, SELF_TEST_PAYLOAD};
pub use stats::FieldStats;
pub use uplink::{Ack, Uplink};
