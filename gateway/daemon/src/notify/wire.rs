//! Connections out: TCP, with TLS or without.

use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// A connection.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// Connects to a name or address.
///
/// # Errors
/// In words that fit after "failed to".
pub async fn connect(host: &str, port: u16) -> Result<Box<dyn Io>, String> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((bare, port)).await;
    let stream = stream.map_err(|error| format!("connect to {host}:{port}: {error}"))?;
    Ok(Box::new(stream))
}

/// Goes on with TLS.
///
/// # Errors
/// See above: the other side's certificate does not fit.
pub async fn secure(
    plain: Box<dyn Io>,
    host: &str,
    tls: Arc<ClientConfig>,
) -> Result<Box<dyn Io>, String> {
    let wrong = |error: String| format!("trust {host}: {error}");
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned()).map_err(|error| wrong(error.to_string()))?;
    let stream = TlsConnector::from(tls).connect(name, plain).await;
    Ok(Box::new(stream.map_err(|error| wrong(error.to_string()))?))
}
