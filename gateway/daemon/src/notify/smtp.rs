//! Notices as one e-mail, handed to a server by SMTP (RFC 5321), with TLS from the start, after STARTTLS (RFC 3207), or without.
//!
//! Decided here: the conversation and the letter. Deliberately not: queues and bounces. A server that has said 250 to the letter has taken it;
//! a reply 4xx is tried again, 5xx to the address or the letter is refused.
//!
//! Invariant: no password goes over a connection that is not encrypted, except on this machine (the configuration refuses it).

use super::Notice;
use super::way::Undelivered;
use super::wire::{Io, connect, secure};
use crate::config::{Security, Smtp};
use base64ct::{Base64, Encoding as _};
use gateway_core::UtcSeconds;
use gateway_core::calendar::Calendar;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio_rustls::rustls::ClientConfig;

/// Longest line of a reply, bytes: RFC 5321 allows 512.
const LONGEST_LINE: u64 = 2 * 1024;
/// Most lines of a reply.
const MOST_LINES: usize = 100;
/// Characters of an encoded line of a letter (RFC 2045).
const LINE: usize = 76;
/// Bytes of a subject that one encoded word holds (RFC 2047: 75 characters of base64 with its frame).
const WORD: usize = 42;
/// What the gateway calls itself in a greeting.
const NAME: &str = "prepaid-gateway.invalid";

/// Who writes to whom.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    /// The site's name.
    pub site: &'a str,
    /// Its local time.
    pub calendar: Calendar,
    /// The number of its journal.
    pub gateway: &'a str,
    /// The recipient.
    pub to: &'a str,
    /// When it is sent.
    pub at: UtcSeconds,
    /// What it says; at least one.
    pub notices: &'a [Notice],
}

/// Hands a letter to the server.
///
/// # Errors
/// It was not taken.
pub async fn send(
    server: &Smtp,
    tls: Option<Arc<ClientConfig>>,
    letter: &Letter<'_>,
) -> Result<(), Undelivered> {
    let mut talk = Talk::open(server, tls).await?;
    if let Some((user, password)) = &server.login {
        let secret = Base64::encode_string(format!("\0{user}\0{password}").as_bytes());
        // A wrong password is mended by somebody, so it is worth another try.
        let login = talk.say("AUTH PLAIN ", &secret, 2).await;
        login.map_err(|error| Undelivered::later(error.words))?;
    }
    let from = format!("<{}>", server.from);
    talk.say("MAIL FROM:", &from, 2).await?;
    talk.say("RCPT TO:", &format!("<{}>", letter.to), 2).await?;
    talk.say("DATA", "", 3).await?;
    talk.write(&letter.text(&server.from)).await?;
    talk.say(".", "", 2).await?;
    // The letter is taken; whether the server says goodbye does not matter.
    let _ = talk.say("QUIT", "", 2).await;
    Ok(())
}

/// A conversation.
struct Talk {
    io: BufReader<Box<dyn Io>>,
    host: String,
}

impl Talk {
    /// Up to the second greeting.
    async fn open(server: &Smtp, tls: Option<Arc<ClientConfig>>) -> Result<Self, Undelivered> {
        let (host, port) = (&server.host, server.port);
        let mut io = connect(host, port).await.map_err(Undelivered::later)?;
        if let (Security::Tls, Some(tls)) = (server.security, &tls) {
            io = secure(io, host, tls.clone())
                .await
                .map_err(Undelivered::later)?;
        }
        let mut talk = Self {
            io: BufReader::new(io),
            host: host.clone(),
        };
        talk.hear("greet", 2).await?;
        talk.say("EHLO ", NAME, 2).await?;
        if let (Security::StartTls, Some(tls)) = (server.security, tls) {
            let asked = talk.say("STARTTLS", "", 2).await;
            asked.map_err(|error| Undelivered::later(error.words))?;
            // What came before the encryption is nobody's word.
            if !talk.io.buffer().is_empty() {
                let what = format!("trust {host}: it speaks before the encryption begins");
                return Err(Undelivered::later(what));
            }
            let io = secure(talk.io.into_inner(), host, tls).await;
            talk.io = BufReader::new(io.map_err(Undelivered::later)?);
            talk.say("EHLO ", NAME, 2).await?;
        }
        Ok(talk)
    }

    /// Says something and hears a reply of this class.
    async fn say(&mut self, verb: &str, rest: &str, class: u16) -> Result<(), Undelivered> {
        self.write(&format!("{verb}{rest}\r\n")).await?;
        self.hear(verb.trim_end_matches([':', ' ']), class).await
    }

    async fn write(&mut self, text: &str) -> Result<(), Undelivered> {
        let broken = |error| Undelivered::later(format!("write to {}: {error}", self.host));
        self.io.write_all(text.as_bytes()).await.map_err(broken)?;
        self.io.flush().await.map_err(broken)
    }

    /// A reply: lines `250-…` and a last one `250 …`.
    async fn hear(&mut self, after: &str, class: u16) -> Result<(), Undelivered> {
        let host = &self.host;
        for _ in 0..MOST_LINES {
            let mut line = Vec::new();
            let mut bounded = (&mut self.io).take(LONGEST_LINE);
            let got = bounded.read_until(b'\n', &mut line).await;
            let got = got.map_err(|e| Undelivered::later(format!("hear {host}: {e}")))?;
            let text = String::from_utf8_lossy(&line);
            let code = text.get(..3).and_then(|code| code.parse::<u16>().ok());
            let Some(code) = code.filter(|_| got > 0) else {
                let what = format!("understand {host} after {after}: \"{}\"", text.trim());
                return Err(Undelivered::later(what));
            };
            if text.as_bytes().get(3) == Some(&b'-') {
                continue;
            }
            if code / 100 == class {
                return Ok(());
            }
            let words = format!(
                "hand a letter to {host}: it says \"{}\" to {after}",
                text.trim()
            );
            return Err(Undelivered {
                words,
                is_refused: code / 100 == 5,
            });
        }
        Err(Undelivered::later(format!(
            "understand {host} after {after}"
        )))
    }
}

impl Letter<'_> {
    /// Head and body, lines ended by CR LF. The body is base64, so no line begins with a dot.
    fn text(&self, from: &str) -> String {
        let first = self.notices.first();
        let id = first.map_or("none", |notice| notice.id.as_str());
        let subject = match self.notices {
            [only] => only.line(),
            all => format!("{} notices", all.len()),
        };
        let subject: String = format!("[{}] {subject}", self.site)
            .chars()
            .take(160)
            .collect();
        let mut body = String::new();
        for notice in self.notices {
            body.push_str(&format!("{}  {}\n", notice.at_local, notice.line()));
        }
        body.push_str(&format!("\n-- \n{}, gateway {}\n", self.site, self.gateway));
        format!(
            "From: {} <{from}>\r\nTo: <{}>\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: <{id}.{}@{NAME}>\r\n\
             Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
            encoded(self.site),
            self.to,
            encoded(&subject),
            date(self.calendar, self.at),
            self.gateway,
            folded(&Base64::encode_string(body.as_bytes())),
        )
    }
}

/// A header's text as encoded words (RFC 2047), which hold any letter and no line break.
fn encoded(text: &str) -> String {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = rest.len().min(WORD);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (word, after) = rest.split_at(end);
        let word = Base64::encode_string(word.as_bytes());
        words.push(format!("=?utf-8?B?{word}?="));
        rest = after;
    }
    words.join("\r\n ")
}

/// Lines of [`LINE`] characters.
fn folded(text: &str) -> String {
    let mut lines = String::with_capacity(text.len() + text.len() / LINE * 2 + 2);
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        lines.push_str(line);
        lines.push_str("\r\n");
        rest = after;
    }
    lines
}

/// A date as letters have it (RFC 5322), in the site's local time.
fn date(calendar: Calendar, at: UtcSeconds) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let local = crate::control::local_time(calendar, at);
    let part = |range| local.get(range).unwrap_or("");
    let month = part(5..7).parse::<usize>().unwrap_or(1);
    let month = MONTHS[month.clamp(1, 12) - 1];
    let minutes = calendar.utc_offset_s / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
    let (day, year, time) = (part(8..10), part(0..4), part(11..19));
    format!("{day} {month} {year} {time} {sign}{hours:02}{minutes:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALENDAR: Calendar = Calendar {
        utc_offset_s: 19_800,
        period_start_day: 1,
    };

    #[test]
    fn a_date_is_the_sites() {
        let at = UtcSeconds(1_767_225_600);
        assert_eq!(date(CALENDAR, at), "01 Jan 2026 05:30:00 +0530");
        let west = Calendar {
            utc_offset_s: -12_600,
            ..CALENDAR
        };
        assert_eq!(date(west, at), "31 Dec 2025 20:30:00 -0330");
    }

    #[test]
    fn a_letter_has_no_line_an_attacker_could_write() {
        let site = super::super::Site {
            name: "वार्ड 4".into(),
            currency: "INR".into(),
            calendar: CALENDAR,
            id: "00".repeat(16),
        };
        let at = UtcSeconds(1_767_225_600);
        let mut notice = Notice::test(&site, at, "7-00".into());
        notice.words = "case\r\nBcc: x@y\r\n.\r\nQUIT ".repeat(40);
        let letter = Letter {
            site: &site.name,
            calendar: CALENDAR,
            gateway: &site.id,
            to: "a@b.example",
            at,
            notices: &[notice],
        };
        let text = letter.text("c@d.example");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        for line in head.split("\r\n") {
            assert!(line.is_ascii() && line.len() <= 120, "{line}");
            assert!(!line.starts_with("Bcc"), "{line}");
        }
        for line in body.split("\r\n") {
            assert!(line.len() <= LINE && !line.starts_with('.'), "{line}");
        }
        let body = Base64::decode_vec(&body.replace("\r\n", "")).expect("base64");
        let body = String::from_utf8(body).expect("text");
        assert!(body.starts_with("2026-01-01 05:30:00  case  Bcc"), "{body}");
    }
}
