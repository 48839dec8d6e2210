//! Packets and clients that mean harm: each is refused, and everybody else is served.

mod common;

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use common::*;
use gateway_field::{
    FieldConfig, Limits, Rate, Rejection, TlsListener, down_topic, tls_from_pem, up_topic,
};

/// Sends `bytes` on a fresh connection (after a login if `logged_in`) and compares the answer.
fn check(site: &Harness, what: &str, logged_in: bool, bytes: &[u8], expected: &Got) {
    let mut client = if logged_in {
        site.ha("bad")
    } else {
        site.open()
    };
    client.send(bytes);
    assert_eq!(client.receive(), *expected, "{what}");
    site.node(B).ping();
}

fn hello(level: u8, flags: u8, rest: &[&[u8]]) -> Vec<u8> {
    let body = [&text("MQTT")[..], &[level, flags, 0, 60], &rest.concat()].concat();
    [&[0x10, u8::try_from(body.len()).expect("short")], &body[..]].concat()
}

#[test]
fn hostile_first_packets() {
    let site = start(Limits {
        take_overs: generous(),
        ..quick()
    });
    let cases: &[(&str, &[u8], Got)] = &[
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n", Got::Closed),
        (
            "TLS to the plain port",
            &[0x16, 3, 1, 0, 165, 1, 0, 0, 161, 3, 3],
            Got::Closed,
        ),
        ("PUBLISH first", &publish("a", b"x", 0, 0), Got::Closed),
        ("SUBSCRIBE first", &subscribe(1, &[("#", 0)]), Got::Closed),
        ("PINGREQ first", &[0xc0, 0], Got::Closed),
        ("type 0", &[0, 0], Got::Closed),
        ("type 15", &[0xf0, 0], Got::Closed),
        (
            "length of five bytes",
            &[0x10, 255, 255, 255, 255, 255, 1],
            Got::Closed,
        ),
        (
            "256 MiB announced",
            &[0x10, 255, 255, 255, 127, 0, 4],
            Got::Closed,
        ),
        ("empty CONNECT", &[0x10, 0], Got::Closed),
    ];
    for (what, bytes, expected) in cases {
        check(&site, what, false, bytes, expected);
    }
}

#[test]
fn hostile_connects() {
    let site = start(Limits {
        take_overs: generous(),
        ..quick()
    });
    let refused = |code| Got::Packet(0x20, vec![0, code]);
    let id = text("bad");
    let unnamed = [text(""), text("ha"), text("ha-password")].concat();
    let cases: &[(&str, &[u8], Got)] = &[
        ("level 5", &hello(5, 2, &[&[0], &id]), refused(1)),
        (
            "level 3 of another name",
            b"\x10\x11\0\x06MQIsdp\x03\x02\0\x3c\0\x03bad",
            refused(1),
        ),
        ("level 99", &hello(99, 2, &[&id]), refused(1)),
        ("reserved flag", &hello(4, 3, &[&id]), Got::Closed),
        ("will QoS 3", &hello(4, 0x1e, &[&id, &id, &id]), Got::Closed),
        (
            "will retain without will",
            &hello(4, 0x22, &[&id]),
            Got::Closed,
        ),
        (
            "password without user",
            &hello(4, 0x42, &[&id, &id]),
            Got::Closed,
        ),
        (
            "truncated client id",
            &hello(4, 2, &[&[0, 64, 97]]),
            Got::Closed,
        ),
        (
            "bytes after the last field",
            &hello(4, 2, &[&id, &id]),
            Got::Closed,
        ),
        (
            "id that is not UTF-8",
            &hello(4, 2, &[&[0, 2, 0xc3, 0x28]]),
            Got::Closed,
        ),
        ("NUL in the id", &hello(4, 2, &[&text("a\0b")]), Got::Closed),
        ("nobody", &hello(4, 2, &[&id]), refused(5)),
        (
            "empty id, session kept",
            &hello(4, 0xc0, &[&unnamed]),
            refused(2),
        ),
    ];
    for (what, bytes, expected) in cases {
        check(&site, what, false, bytes, expected);
    }
}

#[test]
fn hostile_packets_after_the_login() {
    let site = start(Limits {
        take_overs: generous(),
        ..quick()
    });
    let deep = "a/".repeat(10_000);
    let cases: &[(&str, Vec<u8>)] = &[
        (
            "second CONNECT",
            connect("bad", Some(("ha", "ha-password")), 60),
        ),
        ("CONNACK", vec![0x20, 2, 0, 0]),
        ("PINGRESP", vec![0xd0, 0]),
        ("PUBREC", vec![0x50, 2, 0, 1]),
        ("QoS 3", publish("a", b"x", 6, 1)),
        ("DUP at QoS 0", publish("a", b"x", 8, 0)),
        ("identifier 0", publish("a", b"x", 2, 0)),
        ("wildcard topic", publish("a/#", b"x", 0, 0)),
        ("empty topic", publish("", b"x", 0, 0)),
        ("NUL topic", publish("a\0b", b"x", 0, 0)),
        ("topic not UTF-8", vec![0x30, 5, 0, 2, 255, 254, 120]),
        (
            "surrogate topic",
            vec![0x30, 6, 0, 3, 0xed, 0xa0, 0x80, 120],
        ),
        ("$ topic", publish("$SYS/x", b"x", 0, 0)),
        ("node topic", publish("pg/1/00000011/up", b"x", 2, 1)),
        ("node downlink", publish("pg/1/00000011/down", b"x", 2, 1)),
        ("topic past the packet", vec![0x30, 4, 0, 255, 97, 98]),
        ("long topic", publish(&"a".repeat(60_000), b"", 0, 0)),
        ("deep topic", publish(&deep, b"", 0, 0)),
        (
            "256 MiB announced",
            vec![0x30, 255, 255, 255, 127, 0, 1, 97],
        ),
        ("300 KiB payload", publish("a", &vec![0; 300_000], 0, 0)),
        ("SUBSCRIBE flags", vec![0x80, 6, 0, 1, 0, 1, 97, 0]),
        ("SUBSCRIBE QoS 3", subscribe(1, &[("a", 3)])),
        ("SUBSCRIBE reserved bits", subscribe(1, &[("a", 0x40)])),
        ("SUBSCRIBE without filter", vec![0x82, 2, 0, 1]),
        ("SUBSCRIBE identifier 0", subscribe(0, &[("a", 0)])),
        ("SUBSCRIBE a/#/b", subscribe(1, &[("a/#/b", 0)])),
        ("SUBSCRIBE a+", subscribe(1, &[("a+", 0)])),
        ("UNSUBSCRIBE without filter", vec![0xa2, 2, 0, 1]),
        ("UNSUBSCRIBE of one byte", vec![0xa2, 1, 0]),
        ("PUBREL flags", vec![0x60, 2, 0, 1]),
        ("PUBACK of three bytes", vec![0x40, 3, 0, 1, 0]),
        ("PINGREQ with body", vec![0xc0, 1, 0]),
        ("DISCONNECT with body", vec![0xe0, 1, 0]),
    ];
    for (what, bytes) in cases {
        check(&site, what, true, bytes, &Got::Closed);
    }
    let unknown = Got::Packet(0x70, vec![0x30, 0x39]);
    check(
        &site,
        "PUBREL of nothing",
        true,
        &[0x62, 2, 0x30, 0x39],
        &unknown,
    );
    let mut a = site.node(A);
    a.send(&publish(&up_topic(A), &[0; 1100], 2, 1));
    assert_eq!(a.receive(), Got::Closed, "more than 1 KiB from a node");
    assert_eq!(site.rejections(Rejection::PacketTooLarge), 3);
}

fn generous() -> Rate {
    Rate {
        burst: 1_000_000,
        interval: Duration::from_micros(1),
    }
}

#[test]
fn a_take_over_storm_disturbs_nobody_else() {
    let limits = Limits {
        take_overs: Rate {
            burst: 20,
            interval: Duration::from_secs(60),
        },
        ..quick()
    };
    let site = start(limits);
    let mut b = site.node(B);
    b.subscribe(&down_topic(B), 1, 1);
    let name = gateway_field::node_user_name(A);
    let mut first = site.node(A);
    let mut codes = [0; 6];
    let mut fighters = Vec::new();
    for _ in 0..400 {
        let mut fighter = site.open();
        fighter.send(&connect(&name, Some((&name, &password(A))), 60));
        let Got::Packet(0x20, body) = fighter.receive() else {
            panic!("a CONNACK was due")
        };
        codes[usize::from(body[1])] += 1;
        fighters.push((body[1], fighter));
    }
    assert_eq!(
        codes,
        [20, 0, 0, 380, 0, 0],
        "twenty take-overs, the others are refused"
    );
    assert_eq!(first.receive(), Got::Closed);
    let winner = fighters.iter_mut().rev().find(|(code, _)| *code == 0);
    winner.expect("the last one that got in").1.ping();
    site.field
        .send(B, b"calm".to_vec())
        .expect("b is still there");
    assert!(matches!(b.receive(), Got::Packet(0x32, _)));
    assert_eq!(site.rejections(Rejection::TakenOver), 20);
    assert_eq!(site.rejections(Rejection::TakeOverRateLimited), 380);
}

#[test]
fn silent_connections_block_nobody() {
    let read = |name: &str| {
        std::fs::read(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).expect("a file")
    };
    let server = tls_from_pem(&read("cert.pem"), &read("key.pem")).expect("a good certificate");
    let any = "127.0.0.1:0".parse().expect("an address");
    let limits = Limits {
        connect: Duration::from_millis(300),
        tls_handshake: Duration::from_millis(300),
        ..quick()
    };
    let tls = Some(TlsListener {
        listen: any,
        server,
    });
    let site = start_config(
        FieldConfig {
            listen: Some(any),
            tls,
            limits,
            ..FieldConfig::default()
        },
        16,
    );
    let tls_address = site.field.local_tls_addr().expect("a TLS listener");
    let mut silent: Vec<Client> = (0..20).map(|_| site.open()).collect();
    let open_tls = || Client {
        stream: TcpStream::connect(tls_address).expect("it accepts"),
    };
    silent.extend((0..20).map(|_| open_tls()));
    let mut half = site.open();
    half.stream
        .write_all(&connect("00000011", None, 1)[..9])
        .expect("open");
    silent.push(half);
    site.node(A).ping();
    tls_login(tls_address, &read("cert.pem"));
    for client in &mut silent {
        assert_eq!(client.receive(), Got::Closed);
    }
    wait_for("both deadlines to be counted", || {
        let counts = [Rejection::ConnectTimedOut, Rejection::TlsHandshakeFailed];
        (counts.map(|why| site.rejections(why)) == [21, 20]).then_some(())
    });
}

/// A node logs in through TLS and is served.
fn tls_login(address: std::net::SocketAddr, certificate: &[u8]) {
    use std::io::Read;
    use std::sync::Arc;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
    use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(certificate).expect("PEM"))
        .expect("a root");
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
    let stream = TcpStream::connect(address).expect("it accepts");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    let mut stream = StreamOwned::new(connection, stream);
    stream
        .write_all(&connect("00000022", Some(("00000022", "password-22")), 60))
        .expect("open");
    let mut answer = [0; 4];
    stream
        .read_exact(&mut answer)
        .expect("a CONNACK through TLS");
    assert_eq!(answer, [0x20, 2, 0, 0]);
}

#[test]
fn guessing_is_slow_and_locks_nobody_else_out() {
    let limits = Limits {
        failed_passwords: Rate {
            burst: 3,
            interval: Duration::from_secs(3600),
        },
        ..quick()
    };
    let site = start(limits);
    for _ in 0..6 {
        site.login("00000011", "wrong", "00000011", 5);
    }
    assert_eq!(site.rejections(Rejection::NotAuthorized), 3);
    assert_eq!(site.rejections(Rejection::AuthenticationRateLimited), 3);
    site.login("00000011", "password-11", "00000011", 5);
    site.node(B).ping();
    let mut elsewhere = Client {
        stream: from([127, 0, 0, 2], site.address()),
    };
    elsewhere.send(&connect("00000011", Some(("00000011", "password-11")), 60));
    assert_eq!(
        elsewhere.receive(),
        Got::Packet(0x20, vec![0, 0]),
        "the node from its own address"
    );
}

/// Connects from another loopback address.
fn from(address: [u8; 4], to: std::net::SocketAddr) -> TcpStream {
    run(async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind((address, 0).into()).expect("loopback is a /8");
        let stream = socket.connect(to).await.expect("it accepts");
        let stream = stream.into_std().expect("a stream");
        stream.set_nonblocking(false).expect("blocking");
        stream
    })
}

#[test]
fn one_address_cannot_take_all_connections() {
    let limits = Limits {
        exempt_loopback: false,
        connections_per_address: 8,
        unauthenticated_per_address: 4,
        ..quick()
    };
    let site = start(limits);
    let mut knocking: Vec<Client> = (0..12).map(|_| site.open()).collect();
    wait_for("the surplus to be counted", || {
        (site.rejections(Rejection::TooManyConnectionsFromAddress) == 8).then_some(())
    });
    for surplus in &mut knocking[4..] {
        assert_eq!(surplus.receive(), Got::Closed);
    }
    let mut elsewhere = Client {
        stream: from([127, 0, 0, 2], site.address()),
    };
    elsewhere.send(&connect("00000011", Some(("00000011", "password-11")), 60));
    assert_eq!(elsewhere.receive(), Got::Packet(0x20, vec![0, 0]));
}
