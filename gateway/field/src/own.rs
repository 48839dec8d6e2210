//! The own listener: nodes and site clients connect to the gateway itself.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prepaid_common::NodeId;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::config::FieldConfig;
use crate::credentials::Credentials;
use crate::error::{FieldError, NotConnected, SelfTestError};
use crate::limits::Admission;
use crate::listener;
use crate::registry::Registry;
use crate::router::SiteRouter;
use crate::self_test::{SELF_TEST_NODE, SelfTest};
use crate::session::Shared;
use crate::stats::{Counters, FieldStats, bump};
use crate::uplink::Uplink;

/// A self-test that takes longer has failed. 5 s: many cycles of the caller, even on a bad card.
pub(crate) const SELF_TEST: Duration = Duration::from_secs(5);

pub(crate) struct Own {
    pub shared: Arc<Shared>,
    pub local_addr: Option<SocketAddr>,
    pub local_tls_addr: Option<SocketAddr>,
    self_test: SelfTest,
    round: AtomicU64,
}

struct Listeners {
    plain: Option<TcpListener>,
    tls: Option<TcpListener>,
    /// Loopback only, for the self-test, when there is no plain listener.
    own: Option<TcpListener>,
}

impl Own {
    /// Binds the listeners and starts the router; the tasks accept until `stopped`.
    pub fn start(
        config: FieldConfig,
        credentials: Arc<Credentials>,
        inbox: mpsc::Sender<Uplink>,
        handle: &Handle,
        stopped: watch::Receiver<bool>,
    ) -> Result<(Self, Vec<JoinHandle<()>>), FieldError> {
        if config.listen.is_none() && config.tls.is_none() {
            return Err(FieldError::NoListener);
        }
        let system = |error: &dyn std::fmt::Display| FieldError::System(error.to_string());
        let inside = handle.enter();
        let listeners = bind_all(&config)?;
        drop(inside);
        let password = random_password().map_err(|error| system(&error))?;
        credentials.set_node(SELF_TEST_NODE, &password);
        let router = SiteRouter::start(&config.limits)?;
        let shared = Arc::new(Shared {
            counters: Counters::new(),
            credentials,
            admission: Admission::new(config.limits.clone()),
            registry: Registry::new(config.limits.take_overs),
            router: router.clone(),
            inbox,
            site_messages: config.site_messages,
            stop: stopped,
            limits: config.limits,
        });
        let address = |listener: &Option<TcpListener>| {
            let bound = listener.as_ref().map(TcpListener::local_addr).transpose();
            bound.map_err(|error| system(&error))
        };
        let local_addr = address(&listeners.plain)?;
        let local_tls_addr = address(&listeners.tls)?;
        let address = local_addr
            .or(address(&listeners.own)?)
            .ok_or(FieldError::NoListener)?;
        let mut accepting = Vec::new();
        for plain in listeners.plain.into_iter().chain(listeners.own) {
            accepting.push(handle.spawn(listener::accept(plain, None, shared.clone())));
        }
        if let (Some(socket), Some(tls)) = (listeners.tls, config.tls) {
            let acceptor = TlsAcceptor::from(tls.server);
            accepting.push(handle.spawn(listener::accept(socket, Some(acceptor), shared.clone())));
        }
        let own = Self {
            shared,
            local_addr,
            local_tls_addr,
            self_test: SelfTest {
                address,
                password,
                router,
                limit: SELF_TEST,
            },
            round: AtomicU64::new(0),
        };
        Ok((own, accepting))
    }

    pub fn send(&self, node: NodeId, payload: Vec<u8>) -> Result<(), NotConnected> {
        let queue = self.shared.registry.down_queue(node).ok_or(NotConnected)?;
        if !queue.is_subscribed() {
            return Err(NotConnected);
        }
        if queue.push(payload) {
            bump(&self.shared.counters.downlinks_replaced);
        }
        Ok(())
    }

    pub fn stats(&self) -> FieldStats {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        FieldStats {
            connections_open: count(self.shared.admission.open()),
            site_clients_connected: count(self.shared.registry.site_clients()),
            ..self.shared.counters.read()
        }
    }

    pub async fn self_test(&self) -> Result<Duration, SelfTestError> {
        let round = self.round.fetch_add(1, Ordering::Relaxed);
        self.self_test.run(round).await
    }
}

fn bind_all(config: &FieldConfig) -> Result<Listeners, FieldError> {
    let inherited = &config.inherited;
    let plain = config
        .listen
        .map(|address| listener::take_or_bind("mqtt", address, inherited.plain.as_ref()))
        .transpose()?;
    let tls = config
        .tls
        .as_ref()
        .map(|tls| listener::take_or_bind("mqtts", tls.listen, inherited.tls.as_ref()))
        .transpose()?;
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let own = match plain {
        Some(_) => None,
        None => Some(listener::bind("self-test", loopback)?),
    };
    Ok(Listeners { plain, tls, own })
}

/// 128 random bits as text.
pub(crate) fn random_password() -> Result<String, getrandom::Error> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
