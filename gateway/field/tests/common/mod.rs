//! A started front end and raw MQTT clients that say exactly what a test tells them to.
#![expect(dead_code, reason = "each test file uses its part")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_field::{Access, Credentials, Field, FieldConfig, Limits, Rejection, Uplink};
use prepaid_common::NodeId;
use tokio::sync::mpsc;

/// Nothing that works takes this long, even on a loaded machine.
pub const DEADLINE: Duration = Duration::from_secs(10);

pub const A: NodeId = NodeId(11);
pub const B: NodeId = NodeId(22);

pub struct Harness {
    pub field: Field,
    pub credentials: Arc<Credentials>,
    pub uplinks: mpsc::Receiver<Uplink>,
}

/// Limits for tests: a refusal costs no second.
pub fn quick() -> Limits {
    Limits {
        refusal_delay: Duration::from_millis(1),
        ..Limits::default()
    }
}

pub fn password(node: NodeId) -> String {
    format!("password-{}", node.0)
}

/// Nodes A and B, site accounts `ha` (everything) and `plug` (its own topics), an inbox of 16.
pub fn start(limits: Limits) -> Harness {
    start_with(limits, 16)
}

pub fn start_with(limits: Limits, inbox: usize) -> Harness {
    let listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    start_config(
        FieldConfig {
            listen,
            limits,
            ..FieldConfig::default()
        },
        inbox,
    )
}

pub fn start_config(config: FieldConfig, inbox: usize) -> Harness {
    let credentials = Arc::new(Credentials::new());
    for node in [A, B] {
        credentials
            .add_node(node, &password(node))
            .expect("a good login");
    }
    let access = |publish: &str, subscribe: &str| Access {
        publish: vec![publish.into()],
        subscribe: vec![subscribe.into()],
    };
    credentials
        .set_site_account("ha", "ha-password", access("#", "#"))
        .expect("a good account");
    let plug = access("plug/#", "plug/set");
    credentials
        .set_site_account("plug", "plug-password", plug)
        .expect("a good account");
    let (sender, uplinks) = mpsc::channel(inbox);
    let field = Field::start(config, credentials.clone(), sender).expect("loopback can be bound");
    Harness {
        field,
        credentials,
        uplinks,
    }
}

impl Harness {
    pub fn address(&self) -> SocketAddr {
        self.field.local_addr().expect("a plain listener")
    }

    pub fn open(&self) -> Client {
        Client {
            stream: TcpStream::connect(self.address()).expect("the listener accepts"),
        }
    }

    /// A connection on which the CONNACK said `code`.
    pub fn login(&self, user: &str, password: &str, client_id: &str, code: u8) -> Client {
        let mut client = self.open();
        client.send(&connect(client_id, Some((user, password)), 60));
        assert_eq!(
            client.receive(),
            Got::Packet(0x20, vec![0, code]),
            "CONNACK for {user}"
        );
        client
    }

    pub fn node(&self, node: NodeId) -> Client {
        let name = gateway_field::node_user_name(node);
        self.login(&name, &password(node), &name, 0)
    }

    pub fn ha(&self, client_id: &str) -> Client {
        self.login("ha", "ha-password", client_id, 0)
    }

    pub fn rejections(&self, why: Rejection) -> u64 {
        self.field.stats().rejections[why.reason()]
    }

    /// The next uplink; whoever sent it.
    pub fn uplink(&mut self) -> Uplink {
        let started = Instant::now();
        wait_for("an uplink", || {
            assert!(started.elapsed() < DEADLINE, "no uplink arrived");
            self.uplinks.try_recv().ok()
        })
    }
}

/// Polls a condition until it holds, up to the deadline.
pub fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::yield_now();
    }
}

/// What came from the server.
#[derive(Debug, PartialEq, Eq)]
pub enum Got {
    /// First byte and body.
    Packet(u8, Vec<u8>),
    Closed,
}

pub struct Client {
    pub stream: TcpStream,
}

impl Client {
    pub fn send(&mut self, bytes: &[u8]) {
        // The server may have closed already; what it answers is what counts.
        let _ = self.stream.write_all(bytes);
    }

    /// The next packet, or that the server closed; panics at the deadline.
    pub fn receive(&mut self) -> Got {
        self.receive_within(DEADLINE)
            .expect("an answer before the deadline")
    }

    /// Like `receive`, with nothing for silence.
    pub fn receive_within(&mut self, limit: Duration) -> Option<Got> {
        self.stream
            .set_read_timeout(Some(limit))
            .expect("a timeout above zero");
        let mut first = [0u8; 1];
        match self.stream.read(&mut first) {
            Ok(0) => return Some(Got::Closed),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return None,
            Err(_) => return Some(Got::Closed),
        }
        let (mut length, mut shift) = (0usize, 0);
        loop {
            let mut byte = [0u8; 1];
            self.stream.read_exact(&mut byte).ok()?;
            length |= usize::from(byte[0] & 0x7f) << shift;
            shift += 7;
            if byte[0] & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).ok()?;
        Some(Got::Packet(first[0], body))
    }

    /// Sends and expects the packet.
    pub fn ask(&mut self, bytes: &[u8], byte1: u8, body: &[u8]) {
        self.send(bytes);
        assert_eq!(self.receive(), Got::Packet(byte1, body.to_vec()));
    }

    pub fn subscribe(&mut self, filter: &str, qos: u8, granted: u8) {
        self.ask(&subscribe(7, &[(filter, qos)]), 0x90, &[0, 7, granted]);
    }

    /// Still there: answers a PINGREQ.
    pub fn ping(&mut self) {
        self.ask(&[0xc0, 0], 0xd0, &[]);
    }
}

fn packet(byte1: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![byte1];
    let mut length = body.len();
    loop {
        let low = u8::try_from(length % 128).expect("below 128");
        length /= 128;
        out.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    out.extend_from_slice(body);
    out
}

pub fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("short");
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

pub fn connect(client_id: &str, login: Option<(&str, &str)>, keep_alive_s: u16) -> Vec<u8> {
    connect_with_will(client_id, login, keep_alive_s, None)
}

/// `will`: topic, message, flags (QoS and retain bits of the connect flags).
pub fn connect_with_will(
    client_id: &str,
    login: Option<(&str, &str)>,
    keep_alive_s: u16,
    will: Option<(&str, &str, u8)>,
) -> Vec<u8> {
    let flags =
        2 | will.map_or(0, |(_, _, bits)| 4 | bits) | if login.is_some() { 0xc0 } else { 0 };
    let mut body = [text("MQTT"), vec![4, flags]].concat();
    body.extend_from_slice(&keep_alive_s.to_be_bytes());
    body.extend(text(client_id));
    if let Some((topic, message, _)) = will {
        body.extend([text(topic), text(message)].concat());
    }
    if let Some((user, password)) = login {
        body.extend([text(user), text(password)].concat());
    }
    packet(0x10, &body)
}

/// `pkid` only counts above QoS 0; `flags` is the low half of the first byte.
pub fn publish(topic: &str, payload: &[u8], flags: u8, pkid: u16) -> Vec<u8> {
    let mut body = text(topic);
    if flags & 6 != 0 {
        body.extend_from_slice(&pkid.to_be_bytes());
    }
    body.extend_from_slice(payload);
    packet(0x30 | flags, &body)
}

pub fn subscribe(pkid: u16, filters: &[(&str, u8)]) -> Vec<u8> {
    let mut body = pkid.to_be_bytes().to_vec();
    for (filter, qos) in filters {
        body.extend(text(filter));
        body.push(*qos);
    }
    packet(0x82, &body)
}

pub fn unsubscribe(pkid: u16, filter: &str) -> Vec<u8> {
    packet(0xa2, &[&pkid.to_be_bytes()[..], &text(filter)].concat())
}

/// Runs a future of the front end.
pub fn run<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}
