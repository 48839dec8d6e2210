//! Packets to a client, as bytes, through rumqttd's codec.

use bytes::{BufMut, BytesMut};
use rumqttd::protocol::v4::V4;
use rumqttd::protocol::{
    ConnAck, ConnectReturnCode, Packet, PingResp, Protocol, PubAck, PubAckReason, PubComp,
    PubCompReason, PubRec, PubRecReason, Publish, QoS, SubAck, SubscribeReasonCode, UnsubAck,
};

use crate::rejection::Rejection;

/// Puts one packet behind what already waits in `out`.
///
/// The codec fails only on a packet identifier of zero or 256 MiB, neither of which is made here.
fn put(out: &mut BytesMut, packet: Packet) {
    let length = out.len();
    if let Err(error) = V4.write(packet, out) {
        out.truncate(length);
        log::error!("failed to encode an MQTT packet: {error}; report this");
    }
}

pub(crate) fn connack_accepted(out: &mut BytesMut) {
    let ack = ConnAck {
        session_present: false,
        code: ConnectReturnCode::Success,
    };
    put(out, Packet::ConnAck(ack, None));
}

/// The CONNACK that says why not; nothing for reasons that MQTT 3.1.1 answers by closing.
pub(crate) fn connack_refused(out: &mut BytesMut, why: Rejection) {
    let code = match why {
        Rejection::ProtocolNotSupported => ConnectReturnCode::RefusedProtocolVersion,
        Rejection::ClientIdRefused => ConnectReturnCode::ClientIdentifierNotValid,
        Rejection::TakeOverRateLimited
        | Rejection::TooManySiteClients
        | Rejection::RouterUnavailable => ConnectReturnCode::ServiceUnavailable,
        Rejection::NotAuthorized
        | Rejection::AuthenticationRateLimited
        | Rejection::WillNotAllowed => ConnectReturnCode::NotAuthorized,
        _ => return,
    };
    put(
        out,
        Packet::ConnAck(
            ConnAck {
                session_present: false,
                code,
            },
            None,
        ),
    );
}

pub(crate) fn puback(out: &mut BytesMut, pkid: u16) {
    put(
        out,
        Packet::PubAck(
            PubAck {
                pkid,
                reason: PubAckReason::Success,
            },
            None,
        ),
    );
}

pub(crate) fn pubrec(out: &mut BytesMut, pkid: u16) {
    put(
        out,
        Packet::PubRec(
            PubRec {
                pkid,
                reason: PubRecReason::Success,
            },
            None,
        ),
    );
}

pub(crate) fn pubcomp(out: &mut BytesMut, pkid: u16) {
    put(
        out,
        Packet::PubComp(
            PubComp {
                pkid,
                reason: PubCompReason::Success,
            },
            None,
        ),
    );
}

pub(crate) fn pingresp(out: &mut BytesMut) {
    put(out, Packet::PingResp(PingResp));
}

/// One code per filter: the granted QoS, or none for 0x80.
pub(crate) fn suback(out: &mut BytesMut, pkid: u16, granted: &[Option<u8>]) {
    let code = |granted: &Option<u8>| match granted {
        Some(0) => SubscribeReasonCode::QoS0,
        Some(_) => SubscribeReasonCode::QoS1,
        None => SubscribeReasonCode::Failure,
    };
    let return_codes = granted.iter().map(code).collect();
    put(out, Packet::SubAck(SubAck { pkid, return_codes }, None));
}

pub(crate) fn unsuback(out: &mut BytesMut, pkid: u16) {
    put(
        out,
        Packet::UnsubAck(
            UnsubAck {
                pkid,
                reasons: Vec::new(),
            },
            None,
        ),
    );
}

/// A publish to the client; `pkid` 0 means QoS 0, any other QoS 1.
pub(crate) fn publish(out: &mut BytesMut, topic: &str, payload: &[u8], retain: bool, pkid: u16) {
    // The codec's own intermediate form is the only public way to a publish with an identifier.
    let qos = if pkid == 0 {
        QoS::AtMostOnce
    } else {
        QoS::AtLeastOnce
    };
    let Ok(topic_length) = u16::try_from(topic.len()) else {
        return;
    };
    let mut form = BytesMut::with_capacity(5 + topic.len() + payload.len());
    form.put_u8(0x30 | u8::from(retain) | ((qos as u8) << 1));
    form.put_u16(pkid);
    form.put_u16(topic_length);
    form.extend_from_slice(topic.as_bytes());
    form.extend_from_slice(payload);
    put(
        out,
        Packet::Publish(Publish::deserialize(form.freeze()), None),
    );
}
