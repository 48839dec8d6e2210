//! A notice as an HTTP POST, signed as Standard Webhooks says: `webhook-id`, `webhook-timestamp` and `webhook-signature`, which is
//! `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.
//!
//! Only the status code of the answer is read. 2xx: taken. Anything else: not taken, and sent again with the same id.

use super::Notice;
use super::way::Undelivered;
use super::wire::{connect, secure};
use base64ct::{Base64, Encoding as _};
use gateway_core::UtcSeconds;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio_rustls::rustls::ClientConfig;

/// Longest line of an answer's head, bytes.
const LONGEST_LINE: u64 = 8 * 1024;

/// Where notices are posted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// https.
    pub is_tls: bool,
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

impl Target {
    /// Reads an address; `None` if it is none.
    pub fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (is_tls, usual) = match scheme {
            "https" => (true, 443),
            "http" => (false, 80),
            _ => return None,
        };
        let (place, path) = match rest.find(['/', '?']) {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let path = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/{path}"),
        };
        let after_bracket = place.rfind(']').unwrap_or(0);
        let (host, port) = match place[after_bracket..].rsplit_once(':') {
            Some((before, port)) => (&place[..after_bracket + before.len()], port.parse().ok()?),
            None => (place, usual),
        };
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
        let fits = !host.is_empty() && port > 0 && !host.contains(['@', '#']);
        (fits && plain(host) && plain(&path) && !path.contains('#')).then(|| Self {
            is_tls,
            host: host.into(),
            port,
            path,
        })
    }

    /// Host and port as a request names them.
    fn authority(&self) -> String {
        match (self.is_tls, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            _ => format!("{}:{}", self.host, self.port),
        }
    }
}

/// The signature of a message.
pub fn signature(secret: &[u8], id: &str, at: UtcSeconds, body: &[u8]) -> String {
    // Every length of key is one for HMAC.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else {
        return String::new();
    };
    mac.update(format!("{id}.{}.", at.0).as_bytes());
    mac.update(body);
    format!("v1,{}", Base64::encode_string(&mac.finalize().into_bytes()))
}

/// Posts a notice.
///
/// # Errors
/// It was not taken.
pub async fn post(
    target: &Target,
    tls: Option<Arc<ClientConfig>>,
    (secret, now): (&[u8], UtcSeconds),
    notice: &Notice,
) -> Result<(), Undelivered> {
    let body =
        serde_json::to_vec(notice).map_err(|error| Undelivered::refused(error.to_string()))?;
    let (id, signature) = (&notice.id, signature(secret, &notice.id, now, &body));
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: {}\r\nuser-agent: prepaid-gateway/{}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\
         webhook-id: {id}\r\nwebhook-timestamp: {}\r\nwebhook-signature: {signature}\r\n\r\n",
        target.path,
        target.authority(),
        env!("CARGO_PKG_VERSION"),
        body.len(),
        now.0,
    );
    let mut io = connect(&target.host, target.port)
        .await
        .map_err(Undelivered::later)?;
    if let Some(tls) = tls {
        io = secure(io, &target.host, tls)
            .await
            .map_err(Undelivered::later)?;
    }
    let broken =
        |error: std::io::Error| Undelivered::later(format!("post to {}: {error}", target.host));
    io.write_all(head.as_bytes()).await.map_err(broken)?;
    io.write_all(&body).await.map_err(broken)?;
    io.flush().await.map_err(broken)?;
    let mut lines = BufReader::new(io);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut lines).take(LONGEST_LINE);
        let got = bounded.read_until(b'\n', &mut line).await.map_err(broken)?;
        if got == 0 {
            let what = format!("hear an answer from {}: it hung up", target.host);
            return Err(Undelivered::later(what));
        }
        // Lines before the final status are an interim answer's.
        match status(&line) {
            None | Some(100..=199) => {}
            Some(status) => return judge(status, target),
        }
    }
}

/// The status code of a status line.
fn status(line: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(line).ok()?;
    let (version, rest) = line.split_once(' ')?;
    if !version.starts_with("HTTP/1.") {
        return None;
    }
    rest.get(..3)?.parse().ok()
}

fn judge(status: u16, target: &Target) -> Result<(), Undelivered> {
    let what = format!("post to {}: it answers {status}", target.host);
    match status {
        200..=299 => Ok(()),
        // A wrong address or secret, or a busy server: right once somebody has mended it.
        300..=399 | 401 | 403..=405 | 407 | 408 | 425 | 429 | 500.. => {
            Err(Undelivered::later(what))
        }
        _ => Err(Undelivered::refused(what)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let check = |url: &str, expected: Option<(bool, &str, u16, &str)>| {
            let read = Target::of(url);
            let read = read.as_ref();
            let read = read.map(|t| (t.is_tls, t.host.as_str(), t.port, t.path.as_str()));
            assert_eq!(read, expected, "{url}");
        };
        check(
            "https://a.example/x?y=1",
            Some((true, "a.example", 443, "/x?y=1")),
        );
        check("http://10.0.0.7:8000", Some((false, "10.0.0.7", 8000, "/")));
        check("http://[::1]:81?a", Some((false, "[::1]", 81, "/?a")));
        check("https://[::1]/", Some((true, "[::1]", 443, "/")));
        for wrong in [
            "a.example/x",
            "ftp://a",
            "http://",
            "http://a:0",
            "http://u@a/",
            "http://a/b c",
            "http://a/#b",
        ] {
            check(wrong, None);
        }
    }

    /// The example of the Standard Webhooks specification's reference libraries.
    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        let secret = Base64::decode_vec("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let at = UtcSeconds(1_614_265_330);
        let signed = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn an_answer_says_whether_it_is_worth_another_try() {
        let target = Target::of("http://a").unwrap();
        for (line, expected) in [
            (&b"HTTP/1.1 204 No Content\r\n"[..], Some(None)),
            (b"HTTP/1.0 200\r\n", Some(None)),
            (b"HTTP/1.1 503 Busy\r\n", Some(Some(false))),
            (b"HTTP/1.1 401 Who\r\n", Some(Some(false))),
            (b"HTTP/1.1 422 No\r\n", Some(Some(true))),
            (b"HTTP/2 200\r\n", None),
            (b"content-length: 200\r\n", None),
            (b"\xff", None),
        ] {
            let judged = status(line).map(|status| judge(status, &target));
            let judged = judged.map(|result| result.err().map(|error| error.is_refused));
            assert_eq!(judged, expected, "{line:?}");
        }
    }
}
