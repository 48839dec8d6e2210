//! Taking connections in: each in a task of its own from its first byte on.
//!
//! Nothing here waits for a client, so a silent one delays nobody: the TLS handshake and the CONNECT
//! have their deadlines inside the connection's task.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::error::FieldError;
use crate::handshake;
use crate::limits::Slot;
use crate::rejection::Rejection;
use crate::session::Shared;

/// Connections the kernel holds for us. A whole site of 1,000 nodes may knock at once.
const BACKLOG: u32 = 1024;
/// Pause after accept fails, which it does when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Binds a listener; must run inside a tokio runtime.
pub(crate) fn bind(name: &'static str, address: SocketAddr) -> Result<TcpListener, FieldError> {
    let open = || {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()
        } else {
            TcpSocket::new_v6()
        }?;
        // A restart does not wait for connections of the last run; a second broker still fails.
        socket.set_reuseaddr(true)?;
        // Inherited by every connection: the kernel notices a peer that vanished.
        socket.set_keepalive(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    open().map_err(|source| FieldError::Bind {
        listener: name,
        address,
        source,
    })
}

/// The listener that somebody else has opened, or a new one; must run inside a tokio runtime.
pub(crate) fn take_or_bind(
    name: &'static str,
    address: SocketAddr,
    inherited: Option<&Arc<std::net::TcpListener>>,
) -> Result<TcpListener, FieldError> {
    let Some(inherited) = inherited else {
        return bind(name, address);
    };
    let take = || {
        let socket = inherited.try_clone()?;
        socket.set_nonblocking(true)?;
        TcpListener::from_std(socket)
    };
    take().map_err(|source| FieldError::Bind {
        listener: name,
        address: inherited.local_addr().unwrap_or(address),
        source,
    })
}

/// Accepts until the front end stops, then waits for its connections to end.
pub(crate) async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let mut stop = shared.stop.clone();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                shared
                    .counters
                    .connections_accepted
                    .fetch_add(1, Ordering::Relaxed);
                match shared.admission.admit(peer.ip()) {
                    Ok(slot) => {
                        connections.spawn(serve(shared.clone(), stream, peer, tls.clone(), slot));
                    }
                    Err(why) => shared.reject(why, "a connection", peer.ip()),
                }
            }
            Err(error) => {
                log::warn!("failed to accept a connection: {error}; trying on");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve(
    shared: Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    slot: Slot,
) {
    // Frames are small and acknowledged one by one; waiting to fill a segment only adds delay.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return handshake::serve(shared, stream, peer.ip(), slot).await;
    };
    let mut stop = shared.stop.clone();
    let shaken = tokio::select! {
        shaken = timeout(shared.limits.tls_handshake, tls.accept(stream)) => shaken,
        _ = stop.wait_for(|stop| *stop) => return,
    };
    match shaken {
        Ok(Ok(stream)) => handshake::serve(shared, stream, peer.ip(), slot).await,
        _ => shared.reject(Rejection::TlsHandshakeFailed, "a TLS connection", peer.ip()),
    }
}
