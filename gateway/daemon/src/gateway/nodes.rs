//! Who may connect: nodes by their keys, site clients by their accounts.

use super::StartError;
use crate::config::Config;
use crate::sockets::Sockets;
use gateway_core::{NodeId, State};
use gateway_field::link::NodeLinks;
use gateway_field::{
    Access as Topics, Credentials, DeviceLogin, ExternalBroker, FieldConfig, TlsListener,
};
use prepaid_common::wire::{Counter, Key};
use std::path::PathBuf;

pub(super) fn admit_all(
    state: &State,
    keys: Vec<(NodeId, gateway_store::NodeKey)>,
    credentials: &Credentials,
    epoch: u32,
) -> NodeLinks {
    let mut links = NodeLinks::new(epoch);
    for (node, key) in keys {
        if state
            .nodes
            .get(&node)
            .is_none_or(|node| node.role.is_none())
        {
            continue;
        }
        let counter = state
            .readings
            .get(&node)
            .and_then(|last| last.reading.frame_counter);
        let floor = counter.and_then(Counter::from_u64).unwrap_or(Counter::ZERO);
        let key = Key(key);
        let password = key.mqtt_password();
        links.add(node, key, floor);
        if let Err(error) = credentials.add_node(node, std::str::from_utf8(&password).unwrap_or(""))
        {
            log::error!("failed to let node {node} in: {error}");
        }
    }
    links
}

pub(super) fn add_site_clients(config: &Config, credentials: &Credentials) {
    let (publish, subscribe) = (
        &config.field.anonymous_publish,
        &config.field.anonymous_subscribe,
    );
    if !publish.is_empty() || !subscribe.is_empty() {
        let topics = Topics {
            publish: publish.clone(),
            subscribe: subscribe.clone(),
        };
        if let Err(error) = credentials.set_anonymous(Some(topics)) {
            log::error!("failed to let clients without a login in: {error}");
        }
    }
    for client in &config.field.clients {
        let topics = Topics {
            publish: client.publish.clone(),
            subscribe: client.subscribe.clone(),
        };
        if let Err(error) = credentials.set_site_account(&client.name, &client.password, topics) {
            log::error!("failed to let client {} in: {error}", client.name);
        }
    }
}

/// Names of the logins a device can have, and whether an external broker keeps them.
pub(super) fn logins(config: &Config) -> (Vec<String>, bool) {
    let clients = config.field.clients.iter().map(|client| &client.name);
    let broker = config.field.broker.iter();
    let devices = broker.flat_map(|broker| &broker.devices);
    let devices = devices.map(|device| &device.login);
    let is_external = config.field.broker.is_some();
    (clients.chain(devices).cloned().collect(), is_external)
}

pub(super) fn field_config(config: &Config, sockets: &Sockets) -> Result<FieldConfig, StartError> {
    let external = config.field.broker.clone().map(|broker| ExternalBroker {
        host: broker.host,
        port: broker.port,
        login: broker.login,
        client_id: broker.client_id,
        devices: broker
            .devices
            .into_iter()
            .map(|device| DeviceLogin {
                login: device.login,
                publish: device.publish,
            })
            .collect(),
        will: config
            .home_assistant
            .enabled
            .then(|| crate::home_assistant::will(&config.home_assistant)),
    });
    let mut field = FieldConfig {
        listen: Some(config.field.listen),
        inherited: sockets.field(),
        external,
        ..FieldConfig::default()
    };
    field.limits.connections = config.field.max_connections;
    if config.home_assistant.enabled {
        // Three messages of 500 usage points, with their configurations of 1.4 kB, beside what devices keep.
        field.limits.retained += 1_600;
        field.limits.retained_bytes += 1024 * 1024;
    }
    if let Some(tls) = &config.field.tls {
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|error| StartError::File {
                path: path.clone(),
                error,
            })
        };
        let server = gateway_field::tls_from_pem(&read(&tls.cert)?, &read(&tls.key)?)?;
        field.tls = Some(TlsListener {
            listen: tls.listen,
            server,
        });
    }
    Ok(field)
}
