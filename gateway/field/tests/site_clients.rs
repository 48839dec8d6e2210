//! Site clients: messages through the router, retained ones, wills, and a slow one among them.

mod common;

use std::io::Write;
use std::time::Duration;

use common::*;
use gateway_field::{Limits, Rate, Rejection};
use rumqttc::{AsyncClient, Event, EventLoop, LastWill, MqttOptions, Packet, QoS};

fn message(topic: &str, payload: &str, flags: u8) -> Got {
    Got::Packet(
        0x30 | flags,
        [text(topic), payload.as_bytes().to_vec()].concat(),
    )
}

#[test]
fn messages_pass_at_the_lower_qos() {
    let site = start(quick());
    let (mut zero, mut one, mut sender) = (site.ha("zero"), site.ha("one"), site.ha("sender"));
    zero.subscribe("home/#", 0, 0);
    one.subscribe("home/+", 2, 1);
    sender.send(&publish("home/a", b"q0", 0, 0));
    assert_eq!(zero.receive(), message("home/a", "q0", 0));
    assert_eq!(one.receive(), message("home/a", "q0", 0));
    sender.ask(&publish("home/a", b"q1", 2, 5), 0x40, &[0, 5]);
    assert_eq!(zero.receive(), message("home/a", "q1", 0));
    assert_eq!(one.receive(), message("home/a", "\0\u{1}q1", 2));
    one.send(&[0x40, 2, 0, 1]);
    sender.ask(&publish("home/a", b"q2", 4, 6), 0x50, &[0, 6]);
    sender.ask(&publish("home/a", b"q2", 0x0c, 6), 0x50, &[0, 6]);
    sender.ask(&[0x62, 2, 0, 6], 0x70, &[0, 6]);
    assert_eq!(zero.receive(), message("home/a", "q2", 0));
    sender.send(&publish("home/b", b"end", 0, 0));
    assert_eq!(
        zero.receive(),
        message("home/b", "end", 0),
        "the repetition was not delivered"
    );
}

#[test]
fn topics_that_would_kill_the_router_are_ordinary() {
    let site = start(quick());
    let (mut listener, mut sender) = (site.ha("listener"), site.ha("sender"));
    listener.subscribe("#", 0, 0);
    for topic in ["ärger/küche", "/", "😀", "a//b", "self-test"] {
        sender.send(&publish(topic, b"", 0, 0));
        assert_eq!(listener.receive(), message(topic, "", 0));
    }
}

#[test]
fn accounts_stay_within_their_filters() {
    let site = start(quick());
    let mut plug = site.login("plug", "plug-password", "plug", 0);
    for (filter, granted) in [
        ("plug/set", 0),
        ("plug/+", 0x80),
        ("#", 0x80),
        ("pg/#", 0x80),
        ("pg/1/00000011/up", 0x80),
        ("$SYS/#", 0x80),
    ] {
        plug.subscribe(filter, 0, granted);
    }
    plug.ask(&publish("plug/state", b"on", 2, 1), 0x40, &[0, 1]);
    plug.send(&publish("home/state", b"on", 2, 1));
    assert_eq!(plug.receive(), Got::Closed);
    let mut with_will = site.open();
    let login = Some(("plug", "plug-password"));
    with_will.send(&connect_with_will(
        "plug",
        login,
        60,
        Some(("home/will", "x", 0)),
    ));
    assert_eq!(with_will.receive(), Got::Packet(0x20, vec![0, 5]));
    let mut everything = site.ha("everything");
    everything.subscribe("#", 0, 0);
    everything.subscribe("pg/1/+/up", 0, 0x80);
    let mut a = site.node(A);
    a.send(&publish("pg/1/00000011/up", b"secret", 0, 0));
    a.ping();
    plug = site.login("plug", "plug-password", "plug", 0);
    plug.send(&publish("plug/state", b"off", 0, 0));
    assert_eq!(
        everything.receive(),
        message("plug/state", "off", 0),
        "and no node's frame"
    );
}

#[test]
fn retained_messages_are_shown_on_every_subscription() {
    let site = start(quick());
    let mut sender = site.ha("sender");
    for n in 0..300 {
        let topic = format!("many/{n:03}");
        sender.ask(&publish(&topic, b"state", 3, 1), 0x40, &[0, 1]);
    }
    sender.ask(&publish("many/000", b"", 3, 1), 0x40, &[0, 1]);
    sender.ask(&publish("many/001", b"", 2, 1), 0x40, &[0, 1]);
    let mut late = site.ha("late");
    for _ in 0..2 {
        late.subscribe("many/#", 0, 0);
        for n in 1..300 {
            assert_eq!(late.receive(), message(&format!("many/{n:03}"), "state", 1));
        }
    }
    late.ask(&unsubscribe(9, "many/#"), 0xb0, &[0, 9]);
    late.ask(&unsubscribe(10, "never/subscribed"), 0xb0, &[0, 10]);
    sender.ask(&publish("many/001", b"x", 2, 1), 0x40, &[0, 1]);
    late.ping();
}

#[test]
fn a_will_is_published_when_the_client_is_lost_and_not_when_it_leaves() {
    let site = start(quick());
    let mut listener = site.ha("listener");
    listener.subscribe("state/#", 0, 0);
    let with_will = |id: &str| {
        let mut client = site.open();
        let will = Some(("state/gone", id, 0x20));
        client.send(&connect_with_will(
            id,
            Some(("ha", "ha-password")),
            60,
            will,
        ));
        assert_eq!(client.receive(), Got::Packet(0x20, vec![0, 0]));
        client
    };
    let mut polite = with_will("polite");
    polite.send(&[0xe0, 0]);
    assert_eq!(polite.receive(), Got::Closed);
    drop(with_will("lost"));
    assert_eq!(listener.receive(), message("state/gone", "lost", 0));
    let mut older = with_will("twice");
    let mut newer = with_will("twice");
    assert_eq!(older.receive(), Got::Closed);
    assert_eq!(
        listener.receive(),
        message("state/gone", "twice", 0),
        "the older one's"
    );
    newer.ping();
    let mut late = site.ha("late");
    late.subscribe("state/gone", 0, 0);
    assert_eq!(late.receive(), message("state/gone", "twice", 1), "kept");
}

#[test]
fn a_slow_subscriber_harms_nobody_else() {
    let limits = Limits {
        write: Duration::from_millis(500),
        site_publishes: Rate {
            burst: 1_000_000,
            interval: Duration::from_micros(1),
        },
        ..quick()
    };
    let mut site = start(limits);
    let (mut slow, mut good, mut sender) = (site.ha("slow"), site.ha("good"), site.ha("sender"));
    slow.subscribe("flood/#", 0, 0);
    good.subscribe("good", 0, 0);
    let payload = vec![b'x'; 60_000];
    let mut a = site.node(A);
    for round in 0..2000u16 {
        sender.send(&publish("flood/x", &payload, 0, 0));
        if round % 20 == 0 {
            sender.send(&publish("good", b"news", 0, 0));
            assert_eq!(good.receive(), message("good", "news", 0));
            a.send(&publish("pg/1/00000011/up", b"x", 2, 1));
            site.uplink().ack.accept();
            assert_eq!(a.receive(), Got::Packet(0x40, vec![0, 1]));
        }
        if site.rejections(Rejection::SlowReader) > 0 {
            break;
        }
    }
    wait_for("the slow reader to be cut off", || {
        (site.rejections(Rejection::SlowReader) == 1).then_some(())
    });
    good.ping();
    // Its link is clean for whoever comes next.
    let mut next = site.ha("next");
    next.subscribe("good", 0, 0);
    sender.send(&publish("good", b"news", 0, 0));
    assert_eq!(next.receive(), message("good", "news", 0));
}

#[test]
fn links_are_reused_without_leftovers() {
    let site = start(Limits {
        site_clients: 2,
        ..quick()
    });
    let mut sender = site.ha("sender");
    for round in 0..50 {
        let mut client = site.ha("again");
        client.subscribe("round/#", 0, 0);
        let payload = format!("{round}");
        sender.send(&publish("round/x", payload.as_bytes(), 0, 0));
        assert_eq!(client.receive(), message("round/x", &payload, 0));
        client.stream.write_all(&[0xe0, 0]).expect("open");
        assert_eq!(client.receive(), Got::Closed);
        wait_for("the link to be free", || {
            (site.field.stats().site_clients_connected == 1).then_some(())
        });
    }
    assert_eq!(site.rejections(Rejection::RouterUnavailable), 0);
    let _second = site.ha("second");
    site.login("ha", "ha-password", "third", 3);
    site.login("ha", "ha-password", "sender", 0);
    assert_eq!(site.rejections(Rejection::TooManySiteClients), 1);
}

#[test]
fn limits_of_filters_and_topics() {
    let limits = Limits {
        filters_per_client: 2,
        filters: 3,
        topics: 2,
        ..quick()
    };
    let site = start(limits);
    let mut client = site.ha("client");
    for (filter, granted) in [("a", 0), ("b", 0), ("c", 0x80), ("a", 0)] {
        client.subscribe(filter, 0, granted);
    }
    let mut other = site.ha("other");
    for (filter, granted) in [("c", 0), ("d", 0x80), ("a", 0)] {
        other.subscribe(filter, 0, granted);
    }
    let mut sender = site.ha("sender");
    sender.ask(&publish("x", b"1", 2, 1), 0x40, &[0, 1]);
    sender.ask(&publish("y", b"1", 2, 1), 0x40, &[0, 1]);
    sender.send(&publish("z", b"1", 2, 1));
    assert_eq!(sender.receive(), Got::Closed);
    assert_eq!(site.rejections(Rejection::TooManyTopics), 1);
}

#[test]
fn an_ordinary_client_library_works() {
    let site = start(quick());
    let options = |id: &str| {
        let mut options = MqttOptions::new(id, "127.0.0.1", site.address().port());
        options.set_credentials("ha", "ha-password");
        options
    };
    run(async {
        let (listener, mut heard) = AsyncClient::new(options("listener"), 10);
        listener
            .subscribe("house/#", QoS::AtLeastOnce)
            .await
            .expect("queued");
        next(&mut heard, |packet| {
            matches!(packet, Packet::SubAck(_)).then_some(())
        })
        .await;
        let mut talking = options("talker");
        talking.set_last_will(LastWill::new("house/will", "gone", QoS::AtLeastOnce, false));
        let (talker, mut said) = AsyncClient::new(talking, 10);
        talker
            .publish("house/1", QoS::ExactlyOnce, false, "hello")
            .await
            .expect("queued");
        next(&mut said, |packet| {
            matches!(packet, Packet::PubComp(_)).then_some(())
        })
        .await;
        let publish = |packet: &Packet| match packet {
            Packet::Publish(publish) => Some((publish.topic.clone(), publish.payload.to_vec())),
            _ => None,
        };
        let first = next(&mut heard, publish).await;
        assert_eq!(first, ("house/1".to_owned(), b"hello".to_vec()));
        drop(said);
        let second = next(&mut heard, publish).await;
        assert_eq!(second, ("house/will".to_owned(), b"gone".to_vec()));
    });
}

/// The first packet that `wanted` takes.
async fn next<T>(events: &mut EventLoop, wanted: impl Fn(&Packet) -> Option<T>) -> T {
    let search = async {
        loop {
            if let Event::Incoming(packet) = events.poll().await.expect("connected")
                && let Some(found) = wanted(&packet)
            {
                return found;
            }
        }
    };
    tokio::time::timeout(DEADLINE, search)
        .await
        .expect("the packet before the deadline")
}
