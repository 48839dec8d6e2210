//! The running front end: start, send, look, test, stop; by the own listener or an external broker.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prepaid_common::NodeId;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Mutex as AsyncMutex, broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::config::FieldConfig;
use crate::credentials::Credentials;
use crate::error::{FieldError, NotConnected, SelfTestError};
use crate::external::External;
use crate::own::Own;
use crate::registry::{FieldEvent, Registry};
use crate::stats::FieldStats;
use crate::uplink::Uplink;

/// Threads for all connections. Two: one can be busy with a TLS handshake (40 ms on a Pi 3).
const WORKERS: usize = 2;
/// From the order to stop until what is left is cut.
const SHUTDOWN: Duration = Duration::from_millis(900);

/// A message of the gateway to the site's clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SitePublish {
    /// Topic.
    pub topic: String,
    /// Payload.
    pub payload: Vec<u8>,
    /// Whether it is kept and shown to whoever subscribes later.
    pub retain: bool,
}

/// The way to the nodes: the own MQTT front end with the site's broker, or an external broker. It
/// runs on threads of its own.
///
/// Dropping it closes everything at once; [`Field::shutdown`] is the gentle way. All methods may be
/// called from any thread, inside or outside any runtime.
pub struct Field {
    transport: Arc<Transport>,
    runtime: Mutex<Option<Runtime>>,
    handle: Handle,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    stop: watch::Sender<bool>,
    self_test_turn: Arc<AsyncMutex<()>>,
}

enum Transport {
    Own(Own),
    External(External),
}

impl Transport {
    fn registry(&self) -> &Arc<Registry> {
        match self {
            Self::Own(own) => &own.shared.registry,
            Self::External(external) => external.registry(),
        }
    }
}

impl Field {
    /// Binds the listeners and starts serving, or starts connecting to the external broker. Uplinks
    /// go to `inbox`, whose capacity is the back-pressure: while it is full, nodes are not read.
    ///
    /// An external broker that is not there is no error: it is tried until it comes.
    ///
    /// # Errors
    /// No listener configured, an address that cannot be bound, a broker that cannot be one, a
    /// system without threads or random numbers.
    pub fn start(
        mut config: FieldConfig,
        credentials: Arc<Credentials>,
        inbox: mpsc::Sender<Uplink>,
    ) -> Result<Self, FieldError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("field")
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| FieldError::System(error.to_string()))?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = watch::channel(false);
        let (transport, tasks) = match config.external.take() {
            Some(broker) => {
                let takers = (inbox, config.site_messages.take());
                let (external, task) =
                    External::start(broker, config.limits, credentials, takers, &handle, stopped)?;
                (Transport::External(external), vec![task])
            }
            None => {
                let (own, tasks) = Own::start(config, credentials, inbox, &handle, stopped)?;
                (Transport::Own(own), tasks)
            }
        };
        Ok(Self {
            transport: Arc::new(transport),
            runtime: Mutex::new(Some(runtime)),
            handle,
            tasks: Mutex::new(tasks),
            stop,
            self_test_turn: Arc::default(),
        })
    }

    /// Whether nodes are reached through an external broker: then a PUBACK that a node gets comes
    /// from that broker and does not mean "stored", and dropping or refusing an [`crate::Ack`]
    /// closes no node's connection.
    pub fn is_external(&self) -> bool {
        matches!(*self.transport, Transport::External(_))
    }

    /// The plain listener's address with its real port; none with an external broker.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &*self.transport {
            Transport::Own(own) => own.local_addr,
            Transport::External(_) => None,
        }
    }

    /// The TLS listener's address with its real port; none with an external broker.
    pub fn local_tls_addr(&self) -> Option<SocketAddr> {
        match &*self.transport {
            Transport::Own(own) => own.local_tls_addr,
            Transport::External(_) => None,
        }
    }

    /// Queues a frame for a node: at the QoS of its subscription (1 unless it asked for 0), through
    /// an external broker at QoS 1.
    ///
    /// "Ok" means queued, not received: the node confirms by what it reports. The own front end has
    /// a short queue for each node, and the newest frame pushes the oldest out.
    ///
    /// # Errors
    /// The node is not connected, or has not subscribed to its downlink topic. The external broker
    /// is not connected, or does not take frames as fast as they are sent.
    pub fn send(&self, node: NodeId, payload: Vec<u8>) -> Result<(), NotConnected> {
        match &*self.transport {
            Transport::Own(own) => own.send(node, payload),
            Transport::External(external) => external.send(node, payload),
        }
    }

    /// Publishes to the site's clients at QoS 1, in the order of the calls.
    ///
    /// # Errors
    /// The router does not answer; the external broker is not connected, or does not take messages as fast as they are sent.
    pub async fn publish(&self, message: SitePublish) -> Result<(), NotConnected> {
        let own = match &*self.transport {
            Transport::Own(own) => own,
            Transport::External(external) => return external.publish(message),
        };
        let router = own.shared.router.clone();
        let run = async move {
            let SitePublish {
                topic,
                payload,
                retain,
            } = message;
            if retain {
                router
                    .retain(&topic, 1, &bytes::Bytes::from(payload.clone()))
                    .map_err(|_| NotConnected)?;
            }
            let sent = router.publish(&topic, 1, &payload).await;
            sent.map_err(|_| NotConnected)
        };
        self.handle.spawn(run).await.unwrap_or(Err(NotConnected))
    }

    /// Whether the node has an authenticated connection now; with an external broker, whether
    /// anything came on its topic since the broker was last connected.
    pub fn connected(&self, node: NodeId) -> bool {
        self.transport.registry().is_connected(node)
    }

    /// All connected nodes, ascending.
    pub fn connected_nodes(&self) -> Vec<NodeId> {
        self.transport.registry().nodes()
    }

    /// Nodes that come and go from now on.
    ///
    /// A reader that falls more than 4,096 events behind gets `Lagged` and looks at
    /// [`Field::connected_nodes`].
    pub fn events(&self) -> broadcast::Receiver<FieldEvent> {
        self.transport.registry().subscribe()
    }

    /// All counters as of now.
    pub fn stats(&self) -> FieldStats {
        let stats = match &*self.transport {
            Transport::Own(own) => own.stats(),
            Transport::External(external) => external.stats(),
        };
        let nodes = self.transport.registry().nodes().len();
        FieldStats {
            nodes_connected: u64::try_from(nodes).unwrap_or(u64::MAX),
            ..stats
        }
    }

    /// Sends a frame of node 0 the way of the nodes' frames and through the caller's inbox; with
    /// the own front end also a message through the site router. At most 10 s. The caller accepts
    /// the uplink once a commit is done.
    ///
    /// # Errors
    /// The first part that failed. The answer otherwise is the time from sending to the PUBACK.
    pub async fn self_test(&self) -> Result<Duration, SelfTestError> {
        if *self.stop.borrow() {
            return Err(SelfTestError::ShuttingDown);
        }
        let transport = self.transport.clone();
        let turn = self.self_test_turn.clone();
        let run = async move {
            // Two at a time would take node 0 over from each other.
            let _turn = turn.lock().await;
            match &*transport {
                Transport::Own(own) => own.self_test().await,
                Transport::External(external) => external.self_test().await,
            }
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
        let tasks = {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        let drain = async move {
            for task in tasks {
                let _ = task.await;
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
            .field("is_external", &self.is_external())
            .field("local_addr", &self.local_addr())
            .field("local_tls_addr", &self.local_tls_addr())
            .finish_non_exhaustive()
    }
}
