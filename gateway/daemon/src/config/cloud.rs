//! `[cloud]`: the head-end.

use super::keys::{key, optional, whole};
use super::{Key, Kind, Mistake, Values};
use gateway_cloud::driver::{Protocol, Tls, split};
use std::path::PathBuf;

/// `[cloud]`
#[derive(Clone, PartialEq, Eq)]
pub struct Cloud {
    /// The broker's address.
    pub url: Option<String>,
    /// What topics begin with.
    pub prefix: String,
    /// Which MQTT.
    pub protocol: Protocol,
    /// User and password; `Debug` never shows them.
    pub login: Option<(String, String)>,
    /// Authorities and the gateway's certificate.
    pub tls: Tls,
    /// Most bytes of a message.
    pub largest_message: usize,
    /// Bytes a day; 0: any.
    pub daily_bytes: u64,
    /// Seconds between two connections of a metered link.
    pub contact_every_s: Option<u64>,
}

impl std::fmt::Debug for Cloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cloud({:?})", self.url)
    }
}

/// Its keys.
pub(super) const KEYS: &[Key] = &[
    optional(
        "url",
        Kind::Text { max: 255 },
        "\"mqtts://broker.example:8883\"",
        "The broker: mqtts:// with TLS, mqtt:// without. `prepaid-gateway cloud enrol` makes the acquaintance.",
    ),
    key(
        "protocol",
        Kind::OneOf(&["3.1.1", "5"]),
        "\"3.1.1\"",
        "Which MQTT the broker speaks; every one speaks 3.1.1.",
    ),
    key(
        "prefix",
        Kind::Text { max: 64 },
        "\"pgc/1\"",
        "What the topics begin with.",
    ),
    optional(
        "user",
        Kind::Text { max: 64 },
        "\"ward-4\"",
        "The gateway's account at the broker; needs password.",
    ),
    optional(
        "password",
        Kind::Text { max: 256 },
        "\"…\"",
        "Password of that account.",
    ),
    optional(
        "ca",
        Kind::Path,
        "\"/etc/prepaid-gateway/cloud-ca.pem\"",
        "Authorities that may vouch for the broker (PEM); those of the system if absent.",
    ),
    optional(
        "cert",
        Kind::Path,
        "\"/etc/prepaid-gateway/cloud.crt\"",
        "The gateway's certificate (PEM), where the broker wants one; needs key.",
    ),
    optional(
        "key",
        Kind::Path,
        "\"/etc/prepaid-gateway/cloud.key\"",
        "Private key of that certificate (PEM).",
    ),
    key(
        "largest_message",
        whole(4_096, 262_144),
        "65536",
        "Largest payload in bytes; brokers reject larger ones than they are set to.",
    ),
    key(
        "daily_bytes",
        whole(0, 1_000_000_000_000),
        "0",
        "Bytes to publish a day at most; 0: any. Load profiles stop at three quarters of it, the journal never stops.",
    ),
    key(
        "metered",
        Kind::OneOf(&["no", "yes"]),
        "\"no\"",
        "\"yes\": connect now and then instead of staying connected.",
    ),
    key(
        "contact_every_s",
        whole(60, 7 * 86_400),
        "3600",
        "Seconds between two connections of a metered link.",
    ),
];

pub(super) fn cloud(values: &Values, mistakes: &mut Vec<Mistake>) -> Cloud {
    let path = |key| values.optional_text(key).map(PathBuf::from);
    let url = values.optional_text("cloud.url");
    if let Some(Err(error)) = url.as_deref().map(split) {
        let line = values.line("cloud.url");
        mistakes.push(Mistake::at(line, "cloud.url", error.to_string()));
    }
    let prefix = values.text("cloud.prefix");
    if prefix.contains(['+', '#']) || prefix.starts_with('/') || prefix.ends_with('/') {
        let what = "write levels with slashes between them, without + and #";
        let line = values.line("cloud.prefix");
        mistakes.push(Mistake::at(line, "cloud.prefix", what));
    }
    let both = |first: &'static str, second: &'static str| {
        let (one, other) = (values.optional_text(first), values.optional_text(second));
        match (one, other) {
            (Some(one), Some(other)) => Ok(Some((one, other))),
            (None, None) => Ok(None),
            (Some(_), None) => Err((first, second)),
            (None, Some(_)) => Err((second, first)),
        }
    };
    let mut pair = |first, second| {
        both(first, second).unwrap_or_else(|(there, absent)| {
            let what = format!("missing; it goes with {there}");
            mistakes.push(Mistake::at(values.line(there), absent, what));
            None
        })
    };
    let login = pair("cloud.user", "cloud.password");
    let client = pair("cloud.cert", "cloud.key");
    let metered = values.text("cloud.metered") == "yes";
    Cloud {
        url,
        prefix,
        protocol: match values.text("cloud.protocol").as_str() {
            "5" => Protocol::V5,
            _ => Protocol::V4,
        },
        login,
        tls: Tls {
            ca: path("cloud.ca"),
            client: client.map(|(cert, key)| (cert.into(), key.into())),
        },
        largest_message: values.whole("cloud.largest_message"),
        daily_bytes: values.whole("cloud.daily_bytes"),
        contact_every_s: metered.then(|| values.whole("cloud.contact_every_s")),
    }
}
