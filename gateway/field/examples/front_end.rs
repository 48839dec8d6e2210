//! The front end alone, for peers and hostile clients to be tried against.
//!
//! `front_end [PORT]` (0 or nothing: a free one) listens on loopback, accepts every uplink at once,
//! lets anybody in as a site client with all topics, knows the nodes 1 to 1000 with the password
//! `node-<id>`, and prints its counters when its standard input ends.
#![expect(clippy::print_stdout, reason = "a command-line example")]

use std::error::Error;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use gateway_field::{Access, Credentials, Field, FieldConfig};
use prepaid_common::NodeId;
use tokio::sync::mpsc;

fn main() -> Result<(), Box<dyn Error>> {
    // rumqttd traces; see the crate's documentation.
    tracing::subscriber::set_global_default(tracing::subscriber::NoSubscriber::default())?;
    let port = std::env::args().nth(1).map_or(Ok(0), |port| port.parse())?;
    let credentials = Arc::new(Credentials::new());
    let everything = Access {
        publish: vec!["#".into()],
        subscribe: vec!["#".into()],
    };
    credentials.set_anonymous(Some(everything))?;
    for node in 1..=1000 {
        credentials.add_node(NodeId(node), &format!("node-{node}"))?;
    }
    let (inbox, mut uplinks) = mpsc::channel(1024);
    let listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let field = Field::start(
        FieldConfig {
            listen,
            ..FieldConfig::default()
        },
        credentials,
        inbox,
    )?;
    if let Some(address) = field.local_addr() {
        println!("listening on {address}");
    }
    let store = std::thread::spawn(move || {
        while let Some(uplink) = uplinks.blocking_recv() {
            uplink.ack.accept();
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    println!("self-test {:?}", runtime.block_on(field.self_test()));
    println!("{:#?}", field.stats());
    runtime.block_on(field.shutdown());
    drop(field);
    store.join().map_err(|_| "the uplink thread failed")?;
    Ok(())
}
