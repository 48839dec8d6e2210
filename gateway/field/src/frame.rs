//! One MQTT 3.1.1 packet from bytes: rumqttd's codec, and before it the rules the codec lets pass.
//!
//! Decided here: whether bytes are a packet that a client may ever send. Not decided here: whether
//! this client may send it now.
//!
//! Invariants: nothing is read past the announced length; a packet that is too large is refused from
//! its header, before its body is waited for; no input panics.

use bytes::{Bytes, BytesMut};
use rumqttd::protocol::v4::{V4, check};
use rumqttd::protocol::{Error, LastWill, Packet, Protocol};

use crate::rejection::Rejection;
use crate::topic;

/// Longest client id, bytes. MQTT guarantees 23; Home Assistant and Tasmota use up to 40.
const MAX_CLIENT_ID_BYTES: usize = 128;

/// A packet from a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    Connect(Box<Connect>),
    Publish(Publish),
    PubAck(u16),
    PubRel(u16),
    /// PUBREC or PUBCOMP: answers to QoS 2, which the front end never sends.
    UnaskedAnswer,
    Subscribe {
        pkid: u16,
        filters: Vec<(String, u8)>,
    },
    Unsubscribe {
        pkid: u16,
        filters: Vec<String>,
    },
    PingReq,
    Disconnect,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Connect {
    pub client_id: String,
    pub clean_session: bool,
    pub keep_alive_s: u16,
    pub user: String,
    pub password: String,
    pub will: Option<Will>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Will {
    pub topic: String,
    pub payload: Bytes,
    pub qos: u8,
    pub retain: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Publish {
    pub topic: String,
    pub payload: Bytes,
    pub qos: u8,
    pub retain: bool,
    /// 0 at QoS 0.
    pub pkid: u16,
}

/// Takes one packet out of `buffer`, or nothing while it is incomplete.
pub(crate) fn decode(
    buffer: &mut BytesMut,
    max_packet: usize,
) -> Result<Option<Incoming>, Rejection> {
    if let Some(first) = buffer.first() {
        check_first_byte(*first)?;
    }
    let header = match check(buffer.iter(), max_packet) {
        Ok(header) => header,
        Err(Error::InsufficientBytes(_)) => return Ok(None),
        Err(error) => return Err(named(error)),
    };
    let body = buffer.get(header.fixed_header_len..header.frame_length());
    let body = body.ok_or(Rejection::MalformedPacket)?;
    check_body(header.byte1, body)?;
    let publish_pkid = publish_pkid(header.byte1, body);
    match V4.read_mut(buffer, max_packet) {
        Ok(packet) => incoming(packet, header.byte1, publish_pkid).map(Some),
        Err(error) => Err(named(error)),
    }
}

fn named(error: Error) -> Rejection {
    match error {
        Error::PayloadSizeLimitExceeded(_) => Rejection::PacketTooLarge,
        Error::InvalidProtocolLevel(_) => Rejection::ProtocolNotSupported,
        _ => Rejection::MalformedPacket,
    }
}

/// Packet type and its flags (MQTT 3.1.1 table 2.2), known before anything else arrived.
fn check_first_byte(byte1: u8) -> Result<(), Rejection> {
    let flags = byte1 & 0x0f;
    let right = match byte1 >> 4 {
        1 | 4 | 5 | 7 | 12 | 14 => flags == 0,
        6 | 8 | 10 => flags == 2,
        // QoS 3 is forbidden, and so is DUP at QoS 0.
        3 => flags & 0x06 != 0x06 && (flags & 0x06 != 0 || flags & 0x08 == 0),
        // CONNACK, SUBACK, UNSUBACK and PINGRESP come from servers only.
        2 | 9 | 11 | 13 => return Err(Rejection::UnexpectedPacket),
        _ => false,
    };
    if right {
        Ok(())
    } else {
        Err(Rejection::MalformedPacket)
    }
}

/// What the codec does not look at: lengths, reserved bits, identifiers of zero.
fn check_body(byte1: u8, body: &[u8]) -> Result<(), Rejection> {
    let pkid_is_set = || matches!(body, [high, low, ..] if (*high, *low) != (0, 0));
    let right = match byte1 >> 4 {
        1 => return check_connect(body),
        4..=7 => body.len() == 2 && pkid_is_set(),
        8 => pkid_is_set() && filters_are_whole(body, true),
        10 => pkid_is_set() && filters_are_whole(body, false),
        12 | 14 => body.is_empty(),
        _ => true,
    };
    if right {
        Ok(())
    } else {
        Err(Rejection::MalformedPacket)
    }
}

/// Flags and fields of CONNECT must agree, and the fields must fill the packet (section 3.1).
fn check_connect(body: &[u8]) -> Result<(), Rejection> {
    let malformed = Err(Rejection::MalformedPacket);
    let Some((name, rest)) = field(body) else {
        return malformed;
    };
    if !matches!(name, b"MQTT" | b"MQIsdp") {
        return malformed;
    }
    let [level, flags, _, _, fields @ ..] = rest else {
        return malformed;
    };
    if name != b"MQTT" || *level != 4 {
        return Err(Rejection::ProtocolNotSupported);
    }
    let set = |bit: u8| flags & bit != 0;
    let (will, password, user) = (set(0x04), set(0x40), set(0x80));
    let will_bits_fit = if will {
        flags & 0x18 != 0x18
    } else {
        flags & 0x38 == 0
    };
    if set(0x01) || (password && !user) || !will_bits_fit {
        return malformed;
    }
    let expected = 1 + 2 * usize::from(will) + usize::from(user) + usize::from(password);
    let mut rest = fields;
    for _ in 0..expected {
        match field(rest) {
            Some((_, after)) => rest = after,
            None => return malformed,
        }
    }
    if rest.is_empty() { Ok(()) } else { malformed }
}

/// Whether a SUBSCRIBE or UNSUBSCRIBE has at least one filter and nothing half.
fn filters_are_whole(body: &[u8], with_qos: bool) -> bool {
    let mut rest = body.get(2..).unwrap_or_default();
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let Some((_, after)) = field(rest) else {
            return false;
        };
        rest = match (with_qos, after) {
            (false, after) => after,
            (true, [0..=2, after @ ..]) => after,
            (true, _) => return false,
        };
    }
    true
}

/// One length-prefixed field and what follows it.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// The codec keeps the packet identifier of a publish to itself.
fn publish_pkid(byte1: u8, body: &[u8]) -> u16 {
    if byte1 & 0x06 == 0 {
        return 0;
    }
    match field(body).and_then(|(_, rest)| rest.first_chunk::<2>()) {
        Some(pkid) => u16::from_be_bytes(*pkid),
        None => 0,
    }
}

fn incoming(packet: Packet, byte1: u8, publish_pkid: u16) -> Result<Incoming, Rejection> {
    Ok(match packet {
        Packet::Connect(connect, _, will, _, login) => {
            let (user, password) =
                login.map_or_else(Default::default, |login| (login.username, login.password));
            if connect.client_id.len() > MAX_CLIENT_ID_BYTES {
                return Err(Rejection::ClientIdRefused);
            }
            if connect.client_id.contains('\0') || user.contains('\0') {
                return Err(Rejection::MalformedPacket);
            }
            Incoming::Connect(Box::new(Connect {
                client_id: connect.client_id,
                clean_session: connect.clean_session,
                keep_alive_s: connect.keep_alive,
                user,
                password,
                will: will.map(checked_will).transpose()?,
            }))
        }
        Packet::Publish(publish, _) => Incoming::Publish(Publish {
            topic: checked_topic(&publish.topic)?,
            retain: publish.retain,
            qos: (byte1 >> 1) & 3,
            pkid: publish_pkid,
            payload: publish.payload,
        }),
        Packet::PubAck(ack, _) => Incoming::PubAck(ack.pkid),
        Packet::PubRel(release, _) => Incoming::PubRel(release.pkid),
        Packet::PubRec(..) | Packet::PubComp(..) => Incoming::UnaskedAnswer,
        Packet::Subscribe(subscribe, _) => {
            let filters = subscribe.filters.into_iter();
            let filters: Vec<_> = filters
                .map(|filter| (filter.path, filter.qos as u8))
                .collect();
            check_filters(filters.iter().map(|(filter, _)| filter))?;
            Incoming::Subscribe {
                pkid: subscribe.pkid,
                filters,
            }
        }
        Packet::Unsubscribe(unsubscribe, _) => {
            check_filters(unsubscribe.filters.iter())?;
            Incoming::Unsubscribe {
                pkid: unsubscribe.pkid,
                filters: unsubscribe.filters,
            }
        }
        Packet::PingReq(_) => Incoming::PingReq,
        Packet::Disconnect(..) => Incoming::Disconnect,
        _ => return Err(Rejection::UnexpectedPacket),
    })
}

fn checked_topic(topic: &[u8]) -> Result<String, Rejection> {
    let topic = std::str::from_utf8(topic).map_err(|_| Rejection::MalformedPacket)?;
    if !topic::is_topic(topic) {
        return Err(Rejection::MalformedPacket);
    }
    if topic::is_too_long(topic) {
        return Err(Rejection::TopicTooLong);
    }
    Ok(topic.to_owned())
}

fn checked_will(will: LastWill) -> Result<Will, Rejection> {
    Ok(Will {
        topic: checked_topic(&will.topic)?,
        payload: will.message,
        qos: will.qos as u8,
        retain: will.retain,
    })
}

fn check_filters<'a>(mut filters: impl Iterator<Item = &'a String>) -> Result<(), Rejection> {
    if filters.all(|filter| topic::is_filter(filter)) {
        Ok(())
    } else {
        Err(Rejection::MalformedPacket)
    }
}
