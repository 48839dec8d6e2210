//! Starting, testing itself, stopping.

mod common;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use common::*;
use gateway_field::{
    Credentials, Field, FieldConfig, FieldError, SELF_TEST_NODE, SELF_TEST_PAYLOAD, SelfTestError,
};
use tokio::sync::mpsc;

#[test]
fn the_self_test_passes_the_callers_inbox() {
    let mut site = start(quick());
    let mut events = site.field.events();
    run(async {
        for _ in 0..3 {
            let store = async {
                let uplink = site.uplinks.recv().await.expect("the test's uplink");
                assert_eq!(
                    (uplink.node, &uplink.payload[..]),
                    (SELF_TEST_NODE, SELF_TEST_PAYLOAD)
                );
                uplink.ack.accept();
            };
            let (result, ()) = tokio::join!(site.field.self_test(), store);
            assert!(result.is_ok_and(|latency| latency < DEADLINE));
        }
    });
    assert!(events.try_recv().is_err(), "node 0 is no event");
    assert_eq!(site.field.connected_nodes(), []);
}

#[test]
fn a_caller_that_stores_nothing_is_noticed() {
    let mut site = start(quick());
    let result = run(async {
        let refuse = async { drop(site.uplinks.recv().await) };
        tokio::join!(site.field.self_test(), refuse).0
    });
    assert_eq!(result, Err(SelfTestError::UplinkNotAcknowledged));
    run(site.field.shutdown());
    assert_eq!(
        run(site.field.self_test()),
        Err(SelfTestError::ShuttingDown)
    );
}

#[test]
fn a_taken_address_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound");
    let start = |listen: Option<SocketAddr>| {
        let config = FieldConfig {
            listen,
            ..FieldConfig::default()
        };
        Field::start(config, Arc::new(Credentials::new()), mpsc::channel(1).0)
    };
    let error = start(Some(address)).expect_err("the port is taken");
    assert!(
        error
            .to_string()
            .starts_with(&format!("listen for mqtt on {address}: ")),
        "{error}"
    );
    assert!(matches!(start(None), Err(FieldError::NoListener)));
    drop(taken);
    for _ in 0..3 {
        let field = start(Some(address)).expect("free again");
        run(field.shutdown());
    }
}
