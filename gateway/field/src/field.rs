//! The running front end: start, send, look, test, stop.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prepaid_common::NodeId;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Mutex as AsyncMutex, broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::config::FieldConfig;
use crate::credentials::Credentials;
use crate::error::{FieldError, NotConnected, SelfTestError};
use crate::limits::Admission;
use crate::listener;
use crate::registry::{FieldEvent, Registry};
use crate::router::SiteRouter;
use crate::self_test::{SELF_TEST_NODE, SelfTest};
use crate::session::Shared;
use crate::stats::{Counters, FieldStats, bump};
use crate::uplink::Uplink;

/// Threads for all connections. Two: one can be busy with a TLS handshake (40 ms on a Pi 3).
const WORKERS: usize = 2;
/// From the order to stop until what is left is cut.
const SHUTDOWN: Duration = Duration::from_millis(900);
/// A self-test that takes longer has failed. 5 s: many cycles of the caller, even on a bad card.
const SELF_TEST: Duration = Duration::from_secs(5);

/// The node-facing MQTT front end and the site's broker, on threads of its own.
///
/// Dropping it closes everything at once; [`Field::shutdown`] is the gentle way. All methods may be
/// called from any thread, inside or outside any runtime.
pub struct Field {
    shared: Arc<Shared>,
    runtime: Mutex<Option<Runtime>>,
    handle: Handle,
    accepting: Mutex<Vec<JoinHandle<()>>>,
    stop: watch::Sender<bool>,
    local_addr: Option<SocketAddr>,
    local_tls_addr: Option<SocketAddr>,
    self_test: Arc<SelfTest>,
    self_test_turn: Arc<AsyncMutex<()>>,
    self_test_round: AtomicU64,
}

struct Listeners {
    plain: Option<TcpListener>,
    tls: Option<TcpListener>,
    /// Loopback only, for the self-test, when there is no plain listener.
    own: Option<TcpListener>,
}

impl Field {
    /// Binds the listeners and starts serving. Uplinks go to `inbox`, whose capacity is the
    /// back-pressure: while it is full, nodes are not read.
    ///
    /// # Errors
    /// No listener configured, an address that cannot be bound, a system without threads or
    /// random numbers.
    pub fn start(
        config: FieldConfig,
        credentials: Arc<Credentials>,
        inbox: mpsc::Sender<Uplink>,
    ) -> Result<Self, FieldError> {
        if config.listen.is_none() && config.tls.is_none() {
            return Err(FieldError::NoListener);
        }
        let system = |error: &dyn std::fmt::Display| FieldError::System(error.to_string());
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("field")
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| system(&error))?;
        let handle = runtime.handle().clone();
        let inside = handle.enter();
        let listeners = bind_all(&config)?;
        drop(inside);

        let password = random_password().map_err(|error| system(&error))?;
        credentials.set_node(SELF_TEST_NODE, &password);
        let router = SiteRouter::start(&config.limits)?;
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            counters: Counters::new(),
            credentials,
            admission: Admission::new(config.limits.clone()),
            registry: Registry::new(config.limits.take_overs),
            router: router.clone(),
            inbox,
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
        Ok(Self {
            shared,
            runtime: Mutex::new(Some(runtime)),
            handle,
            accepting: Mutex::new(accepting),
            stop,
            local_addr,
            local_tls_addr,
            self_test: Arc::new(SelfTest {
                address,
                password,
                router,
                limit: SELF_TEST,
            }),
            self_test_turn: Arc::default(),
            self_test_round: AtomicU64::new(0),
        })
    }

    /// The plain listener's address with its real port.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr
    }

    /// The TLS listener's address with its real port.
    pub fn local_tls_addr(&self) -> Option<SocketAddr> {
        self.local_tls_addr
    }

    /// Queues a frame for a node, sent at the QoS of its subscription (1 unless it asked for 0).
    ///
    /// "Ok" means queued, not received: the node confirms by what it reports. The queue is short,
    /// and the newest frame pushes the oldest out.
    ///
    /// # Errors
    /// The node is not connected, or has not subscribed to its downlink topic.
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

    /// Whether the node has an authenticated connection now.
    pub fn connected(&self, node: NodeId) -> bool {
        self.shared.registry.is_connected(node)
    }

    /// All connected nodes, ascending.
    pub fn connected_nodes(&self) -> Vec<NodeId> {
        self.shared.registry.nodes()
    }

    /// Nodes that come and go from now on.
    ///
    /// A reader that falls more than 4,096 events behind gets `Lagged` and looks at
    /// [`Field::connected_nodes`].
    pub fn events(&self) -> broadcast::Receiver<FieldEvent> {
        self.shared.registry.subscribe()
    }

    /// All counters as of now.
    pub fn stats(&self) -> FieldStats {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        FieldStats {
            connections_open: count(self.shared.admission.open()),
            nodes_connected: count(self.shared.registry.nodes().len()),
            site_clients_connected: count(self.shared.registry.site_clients()),
            ..self.shared.counters.read()
        }
    }

    /// Sends a frame of node 0 through the own listener and the caller's inbox, and a message
    /// through the site router; at most 10 s. The caller accepts the uplink once a commit is done.
    ///
    /// # Errors
    /// The first part that failed. The answer otherwise is the time from connecting to the PUBACK.
    pub async fn self_test(&self) -> Result<Duration, SelfTestError> {
        if *self.stop.borrow() {
            return Err(SelfTestError::ShuttingDown);
        }
        let test = self.self_test.clone();
        let turn = self.self_test_turn.clone();
        let round = self.self_test_round.fetch_add(1, Ordering::Relaxed);
        let run = async move {
            // Two at a time would take node 0 over from each other.
            let _turn = turn.lock().await;
            test.run(round).await
        };
        self.handle
            .spawn(run)
            .await
            .unwrap_or(Err(SelfTestError::ShuttingDown))
    }

    /// Stops accepting, waits for the acknowledgements of uplinks already taken, writes them out
    /// and closes; within 1 s. A second call does nothing.
    pub async fn shutdown(&self) {
        self.stop.send_replace(true);
        let accepting = {
            let mut accepting = self
                .accepting
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *accepting)
        };
        let drain = async move {
            for listener in accepting {
                let _ = listener.await;
            }
        };
        let _ = self
            .handle
            .spawn(async move { timeout(SHUTDOWN, drain).await })
            .await;
        self.close();
    }

    fn close(&self) {
        let runtime = self
            .runtime
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.close();
    }
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Field")
            .field("local_addr", &self.local_addr)
            .field("local_tls_addr", &self.local_tls_addr)
            .finish_non_exhaustive()
    }
}

fn bind_all(config: &FieldConfig) -> Result<Listeners, FieldError> {
    let plain = config
        .listen
        .map(|address| listener::bind("mqtt", address))
        .transpose()?;
    let tls = config
        .tls
        .as_ref()
        .map(|tls| listener::bind("mqtts", tls.listen))
        .transpose()?;
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let own = match plain {
        Some(_) => None,
        None => Some(listener::bind("self-test", loopback)?),
    };
    Ok(Listeners { plain, tls, own })
}

/// 128 random bits as text.
fn random_password() -> Result<String, getrandom::Error> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
