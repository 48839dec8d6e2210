//! Where the broker is, and how it is spoken to.

use gateway_core::UtcSeconds;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::time_provider::TimeProvider;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Certificates of public authorities on Debian.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// 3.1.1
    V4,
    /// 5
    V5,
}

/// TLS files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// Authorities (PEM); those of the system if absent.
    pub ca: Option<PathBuf>,
    /// The gateway's certificate chain and key (PEM).
    pub client: Option<(PathBuf, PathBuf)>,
}

/// The broker. `Debug` never shows the password.
#[derive(Clone)]
pub struct Endpoint {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// With TLS, and which.
    pub tls: Option<Arc<ClientConfig>>,
    /// User and password.
    pub login: Option<(String, String)>,
    /// Which MQTT.
    pub protocol: Protocol,
    /// What topics begin with, without a slash at the end.
    pub prefix: String,
    /// Most bytes of a payload.
    pub largest_message: usize,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// What is wrong with a broker's address or files; fits after "failed to".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not an address.
    #[error("read the broker's address \"{0}\": write mqtts://name:8883, or mqtt://name:1883")]
    NotAnAddress(String),
    /// A file.
    #[error("read {0}: {1}")]
    File(PathBuf, String),
    /// The certificates do not fit together.
    #[error("use the certificates: {0}")]
    Certificates(String),
}

/// Scheme, host and port of an address.
///
/// # Errors
/// It is none.
pub fn split(url: &str) -> Result<(bool, String, u16), EndpointError> {
    let bad = || EndpointError::NotAnAddress(url.into());
    let (scheme, rest) = url.split_once("://").ok_or_else(bad)?;
    let (is_tls, usual) = match scheme {
        "mqtts" => (true, 8_883),
        "mqtt" => (false, 1_883),
        _ => return Err(bad()),
    };
    let rest = rest.trim_end_matches('/');
    let after_bracket = rest.rfind(']').unwrap_or(0);
    let (host, port) = match rest[after_bracket..].rsplit_once(':') {
        Some((before, port)) => {
            let host = &rest[..after_bracket + before.len()];
            (host, port.parse().map_err(|_| bad())?)
        }
        None => (rest, usual),
    };
    let wrong = |letter: char| letter.is_whitespace() || letter == '/' || letter == '@';
    if host.is_empty() || port == 0 || host.contains(wrong) {
        return Err(bad());
    }
    Ok((is_tls, host.into(), port))
}

/// The time certificates are judged by: the gateway's, which stands still while its clock is not trusted. After a power cut a clock
/// without a battery shows 1970; the last moment the gateway is sure of is the better judge. What is signed inside is safe anyway.
#[derive(Debug, Default)]
pub struct CertificateTime(AtomicI64);

impl CertificateTime {
    /// Sets it.
    pub fn set(&self, at: UtcSeconds) {
        self.0.store(at.0, Ordering::Relaxed);
    }
}

impl TimeProvider for CertificateTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.load(Ordering::Relaxed)).ok()?;
        let since = Duration::from_secs(seconds);
        Some(UnixTime::since_unix_epoch(since))
    }
}

/// The TLS configuration.
///
/// # Errors
/// A file cannot be read or used.
pub fn tls(tls: &Tls, time: Arc<CertificateTime>) -> Result<Arc<ClientConfig>, EndpointError> {
    let mut roots = RootCertStore::empty();
    let ca = tls.ca.clone().unwrap_or_else(|| SYSTEM_ROOTS.into());
    for certificate in certificates(&ca)? {
        // One unusable root among the system's is no reason to do without the others.
        let _ = roots.add(certificate);
    }
    if roots.is_empty() {
        let why = "there is no certificate in it".into();
        return Err(EndpointError::File(ca, why));
    }
    let unusable =
        |error: tokio_rustls::rustls::Error| EndpointError::Certificates(error.to_string());
    let builder = ClientConfig::builder_with_details(default_provider().into(), time)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_root_certificates(roots);
    let config = match &tls.client {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let secret = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| EndpointError::File(key.clone(), error.to_string()))?;
            let chain = certificates(cert)?;
            builder
                .with_client_auth_cert(chain, secret)
                .map_err(unusable)?
        }
    };
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, EndpointError> {
    let wrong = |error: String| EndpointError::File(path.into(), error);
    let found = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
    let all = found.collect::<Result<Vec<_>, _>>();
    all.map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (url, expected) in [
            (
                "mqtts://broker.example",
                Some((true, "broker.example", 8_883)),
            ),
            ("mqtt://10.0.0.7:1884/", Some((false, "10.0.0.7", 1_884))),
            ("mqtts://[::1]:8884", Some((true, "[::1]", 8_884))),
            ("mqtts://[::1]", Some((true, "[::1]", 8_883))),
            ("broker:1883", None),
            ("http://broker", None),
            ("mqtt://", None),
            ("mqtt://a:b@broker", None),
            ("mqtt://broker:0", None),
        ] {
            let read = split(url).ok();
            let read = read
                .as_ref()
                .map(|(tls, host, port)| (*tls, host.as_str(), *port));
            assert_eq!(read, expected, "{url}");
        }
    }
}
