//! Counting what was sent and acknowledged.

use crate::uplink::Uplink;
use prepaid_common::WattHours;
use prepaid_common::wire::{Counter, Kind};
use rumqttc::{AsyncClient, EventLoop, MqttOptions};

/// An uplink whose client takes frames and sends nothing.
fn uplink() -> (Uplink, EventLoop) {
    let (client, eventloop) = AsyncClient::new(MqttOptions::new("x", "127.0.0.1", 1), 16);
    let mut uplink = Uplink::new("topic".into());
    uplink.open(client);
    (uplink, eventloop)
}

fn send(uplink: &mut Uplink, kind: Kind, sequence: u32, register: u64, packet: u16) {
    let counter = Counter::new(1, sequence).unwrap();
    uplink.publish(&[1, kind as u8], counter, WattHours(register));
    uplink.assigned(packet);
}

#[test]
fn only_acknowledged_readings_advance_the_register() {
    let (mut uplink, _eventloop) = uplink();
    send(&mut uplink, Kind::Hello, 1, 0, 1);
    for (sequence, register) in [(2, 100), (3, 150), (4, 140), (5, 145), (6, 999)] {
        let packet = u16::try_from(sequence).unwrap();
        send(&mut uplink, Kind::Report, sequence, register, packet);
    }
    assert!(uplink.acknowledged(1).is_some());
    for packet in 2..=5 {
        let expected = Counter::new(1, u32::from(packet));
        assert_eq!(uplink.acknowledged(packet), expected);
    }
    assert_eq!(uplink.acknowledged(5), None, "once");
    uplink.close();
    let tally = &uplink.tally;
    assert_eq!(tally.readings_sent, 5);
    assert_eq!(tally.readings_acknowledged, 4);
    assert_eq!(tally.readings_superseded, 1);
    // 100 to 150, then a restart at 140 that goes on to 145.
    assert_eq!(tally.acknowledged_advance, WattHours(55));
    assert_eq!(tally.acknowledged_register, Some(WattHours(145)));
}

#[test]
fn nothing_is_counted_without_a_connection() {
    let (mut uplink, eventloop) = uplink();
    drop(eventloop);
    send(&mut uplink, Kind::Report, 1, 1, 1);
    uplink.close();
    send(&mut uplink, Kind::Report, 2, 1, 2);
    assert_eq!(uplink.tally.readings_sent, 0);
}
