//! The router ([`crate::routes`] lists what is in it), and the listener with its limits.

use crate::access::{Peer, guard};
use crate::app::App;
use crate::failure::Failure;
use crate::{pages, routes};
use axum::Router;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request};
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use axum::serve::{IncomingStream, Listener};
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::{Instant, Sleep, sleep};

/// Largest body of a request: forms and orders are a few hundred bytes.
const LARGEST_BODY: usize = 16 * 1024;
/// Connections at once; each costs a task and two buffers.
const MOST_CONNECTIONS: usize = 256;
/// Connections of one address at once: a browser opens six, and one live stream per page.
const MOST_PER_ADDRESS: usize = 32;
/// A connection on which nothing moves for this long is closed; live streams move every 15 seconds.
const IDLE: Duration = Duration::from_secs(60);
/// How long requests in progress may take after shutdown began.
const GRACE: Duration = Duration::from_millis(1_500);

/// Every route behind its gate.
///
/// Serve it with [`serve`]; elsewhere (tests) insert [`ClientAddress`] into the request's extensions, or every client is the
/// same unspecified address.
pub fn router(app: App) -> Router {
    let (router, gatekeeper) = routes::all().split();
    router
        .fallback(pages::no_such_page)
        .method_not_allowed_fallback(pages::no_such_method)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn_with_state((app.clone(), gatekeeper), guard))
        .with_state(app)
}

/// A client's address for a request that does not come through [`serve`].
#[must_use]
#[expect(non_snake_case, reason = "reads like the extractor it makes")]
pub fn ClientAddress(address: SocketAddr) -> impl Clone + Send + Sync + 'static {
    ConnectInfo(Peer(address))
}

/// Serves the page until `shutdown` resolves, then ends live streams and gives requests in progress a moment.
///
/// # Errors
/// The listener failed for good.
pub async fn serve(
    listener: TcpListener,
    app: App,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (began, beginning) = oneshot::channel();
    let closing = app.clone();
    let service = router(app).into_make_service_with_connect_info::<Peer>();
    let server = axum::serve(Door::new(listener), service).with_graceful_shutdown(async move {
        shutdown.await;
        closing.close();
        let _ = began.send(());
    });
    let late = async {
        if beginning.await.is_err() {
            std::future::pending::<()>().await;
        }
        sleep(GRACE).await;
    };
    tokio::select! {
        result = server => result,
        () = late => Ok(()),
    }
}

/// Answers every request with the reason why there is no page, until it is dropped.
///
/// # Errors
/// The listener failed for good.
pub async fn serve_closed(listener: TcpListener, words: watch::Receiver<String>) -> io::Result<()> {
    let answer = move |request: Request| {
        let failure = Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no-database",
            words.borrow().clone(),
        );
        let is_page = !request.uri().path().starts_with("/api/");
        let headers = [(header::CONNECTION, "close"), (header::REFRESH, "10")];
        async move {
            let answer = if is_page {
                failure.into_page()
            } else {
                failure.into_json()
            };
            (headers, answer)
        }
    };
    let router = Router::new()
        .route("/static/{name}", get(crate::assets::serve))
        .fallback(answer);
    axum::serve(Door::new(listener), router).await
}

/// A listener that counts.
struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
    addresses: Addresses,
}

type Addresses = Arc<Mutex<BTreeMap<IpAddr, usize>>>;

impl Door {
    fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            places: Arc::new(Semaphore::new(MOST_CONNECTIONS)),
            addresses: Addresses::default(),
        }
    }
}

impl Listener for Door {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        loop {
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
                return std::future::pending().await;
            };
            let (stream, address) = Listener::accept(&mut self.listener).await;
            if let Some(seat) = Seat::take(&self.addresses, address.ip().to_canonical()) {
                let _ = stream.set_nodelay(true);
                return (Guest::new(stream, seat, place), address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// One of the connections an address may have; given back when dropped.
struct Seat {
    addresses: Addresses,
    address: IpAddr,
}

impl Seat {
    fn take(addresses: &Addresses, address: IpAddr) -> Option<Self> {
        let mut counts = addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= MOST_PER_ADDRESS {
            return None;
        }
        *count += 1;
        Some(Self {
            addresses: Arc::clone(addresses),
            address,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// A connection that ends when nothing moves.
struct Guest {
    stream: TcpStream,
    idle: Pin<Box<Sleep>>,
    _seat: Seat,
    _place: OwnedSemaphorePermit,
}

impl Guest {
    fn new(stream: TcpStream, seat: Seat, place: OwnedSemaphorePermit) -> Self {
        Self {
            stream,
            idle: Box::pin(sleep(IDLE)),
            _seat: seat,
            _place: place,
        }
    }

    /// Passes progress on, and an error instead of waiting when the time is over.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.idle.as_mut().reset(Instant::now() + IDLE);
            return polled;
        }
        self.idle
            .as_mut()
            .poll(context)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Guest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.watch(context, polled)
    }
}

impl AsyncWrite for Guest {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
