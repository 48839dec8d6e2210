//! `[notify]`: who is told what, by e-mail and webhook.

mod keys;

pub(super) use keys::{KEYS, MAIL, SMTP, WEBHOOK};

use super::{Mistake, Values};
use crate::notify::{Filter, Kind as NoticeKind, Target};
use base64ct::{Base64, Encoding as _};
use gateway_core::alarm::AlarmKind;
use gateway_core::tariff::TimeOfDay;
use std::path::PathBuf;

/// `[notify]` and the sections below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// Notices that are older and cannot be delivered are given up.
    pub give_up_days: u16,
    /// Seconds for which notices gather into one letter.
    pub gather_s: u32,
    /// The mail server.
    pub smtp: Option<Smtp>,
    /// Mail addresses.
    pub mail: Vec<Mail>,
    /// Webhooks.
    pub webhooks: Vec<Webhook>,
}

/// How a mail server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// In clear.
    Plain,
    /// In clear up to STARTTLS.
    StartTls,
    /// TLS from the start.
    Tls,
}

/// `[notify.smtp]`
#[derive(Clone, PartialEq, Eq)]
pub struct Smtp {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How it is spoken to.
    pub security: Security,
    /// Authorities; those of the system if absent.
    pub ca: Option<PathBuf>,
    /// User and password; `Debug` never shows them.
    pub login: Option<(String, String)>,
    /// Who the letters come from.
    pub from: String,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Smtp({}:{})", self.host, self.port)
    }
}

/// `[[notify.mail]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The address.
    pub to: String,
    /// What it hears.
    pub filter: Filter,
    /// When it hears nothing.
    pub quiet: Option<Quiet>,
}

/// Quiet hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quiet {
    /// First minute of the day, and the first one after.
    pub hours: (u16, u16),
    /// Kinds that are told in them.
    pub except: Vec<NoticeKind>,
}

impl Quiet {
    /// Whether a minute of the day is in them.
    pub fn holds(&self, minute: u16) -> bool {
        let (from, until) = self.hours;
        match from < until {
            true => (from..until).contains(&minute),
            false => minute >= from || minute < until,
        }
    }
}

/// `[[notify.webhook]]`
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// What it is called in the status.
    pub name: String,
    /// Where notices are posted to.
    pub target: Target,
    /// The key of the signature; `Debug` never shows it.
    pub secret: Vec<u8>,
    /// Authorities; those of the system if absent.
    pub ca: Option<PathBuf>,
    /// What it hears.
    pub filter: Filter,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Webhook({:?}, {:?})", self.name, self.target)
    }
}

/// Shortest key of a signature, bytes: what Standard Webhooks asks for.
const SHORTEST_SECRET: usize = 24;

pub(super) fn notify(values: &Values, mistakes: &mut Vec<Mistake>) -> Notify {
    let smtp = smtp(values, mistakes);
    let mut mail: Vec<Mail> = Vec::new();
    for of in values.many("notify.mail") {
        let to = address(of, "notify.mail.to", mistakes);
        let line = of.line("notify.mail.to");
        if mail.iter().any(|other| other.to == to) {
            let what = format!("\"{to}\" is there twice");
            mistakes.push(Mistake::at(line, "notify.mail.to", what));
        }
        if smtp.is_none() && values.line("notify.smtp.address").is_none() {
            let what = "needs a mail server; set address in [notify.smtp]";
            mistakes.push(Mistake::at(line, "notify.mail.to", what));
        }
        mail.push(Mail {
            to,
            filter: filter(of, "notify.mail", mistakes),
            quiet: quiet(of),
        });
    }
    let mut webhooks: Vec<Webhook> = Vec::new();
    for of in values.many("notify.webhook") {
        let hook = webhook(of, mistakes);
        if webhooks
            .iter()
            .any(|other| Some(&other.name) == hook.as_ref().map(|h| &h.name))
        {
            let key = "notify.webhook.name";
            mistakes.push(Mistake::at(of.line(key), key, "is there twice"));
        }
        webhooks.extend(hook);
    }
    Notify {
        give_up_days: values.whole("notify.give_up_days"),
        gather_s: values.whole("notify.gather_s"),
        smtp,
        mail,
        webhooks,
    }
}

fn smtp(values: &Values, mistakes: &mut Vec<Mistake>) -> Option<Smtp> {
    let place = values.optional_text("notify.smtp.address")?;
    let line = values.line("notify.smtp.address");
    let mut wrong = |line, key: &str, what: &str| mistakes.push(Mistake::at(line, key, what));
    let split = place.rsplit_once(':').and_then(|(host, port)| {
        let port = port.parse::<u16>().ok().filter(|port| *port > 0)?;
        Some((host.to_owned(), port))
    });
    let fits = |host: &str| !host.is_empty() && !host.contains(char::is_whitespace);
    let Some((host, port)) = split.filter(|(host, _)| fits(host)) else {
        wrong(
            line,
            "notify.smtp.address",
            "write a name and a port, mail.example:587",
        );
        return None;
    };
    let security = match values.text("notify.smtp.security").as_str() {
        "none" => Security::Plain,
        "tls" => Security::Tls,
        _ => Security::StartTls,
    };
    let (user, password) = ("notify.smtp.user", "notify.smtp.password");
    let login = match (values.optional_text(user), values.optional_text(password)) {
        (Some(name), Some(secret)) => Some((name, secret)),
        (None, None) => None,
        (Some(_), None) => {
            wrong(values.line(user), password, "missing; it goes with user");
            None
        }
        (None, Some(_)) => {
            wrong(
                values.line(password),
                user,
                "missing; it goes with password",
            );
            None
        }
    };
    let here = ["127.0.0.1", "[::1]", "localhost"].contains(&host.as_str());
    if login.is_some() && security == Security::Plain && !here {
        let what = "would send the password in clear; set security to \"starttls\" or \"tls\"";
        wrong(values.line(password), password, what);
    }
    if values.line("notify.smtp.from").is_none() {
        wrong(line, "notify.smtp.from", "missing; it goes with address");
    }
    Some(Smtp {
        host,
        port,
        security,
        ca: values.optional_text("notify.smtp.ca").map(PathBuf::from),
        login,
        from: match values.line("notify.smtp.from") {
            Some(_) => address(values, "notify.smtp.from", mistakes),
            None => String::new(),
        },
    })
}

/// A mail address, as far as it matters here: nothing in it ends the line or the brackets it is written in.
fn address(values: &Values, key: &'static str, mistakes: &mut Vec<Mistake>) -> String {
    let text = values.text(key);
    let plain = |b: u8| b.is_ascii_graphic() && !b"<>()[]\\,;:\"".contains(&b);
    let parts = text.split_once('@');
    let fits = parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    if !fits || text.matches('@').count() != 1 || !text.bytes().all(plain) {
        let what = "write a mail address, name@mail.example";
        mistakes.push(Mistake::at(values.line(key), key, what));
    }
    text
}

fn filter(values: &Values, table: &str, mistakes: &mut Vec<Mistake>) -> Filter {
    let key = format!("{table}.except_alarms");
    let mut except_alarms = Vec::new();
    for word in values.texts(&key) {
        match serde_json::from_value::<AlarmKind>(word.clone().into()) {
            Ok(kind) => except_alarms.push(kind),
            Err(_) => {
                let what = format!("\"{word}\" is no alarm; `alarm list --json` names them");
                mistakes.push(Mistake::at(values.line(&key), &key, what));
            }
        }
    }
    Filter {
        kinds: notice_kinds(&values.texts(&format!("{table}.kinds"))),
        except_alarms,
    }
}

fn notice_kinds(words: &[String]) -> Vec<NoticeKind> {
    let kind = |word: &String| serde_json::from_value(word.clone().into()).ok();
    words.iter().filter_map(kind).collect()
}

fn quiet(values: &Values) -> Option<Quiet> {
    let minute = |key| {
        values
            .text(key)
            .parse::<TimeOfDay>()
            .map_or(0, |time| time.0 % 1_440)
    };
    let hours = (
        minute("notify.mail.quiet_from"),
        minute("notify.mail.quiet_until"),
    );
    (hours.0 != hours.1).then(|| Quiet {
        hours,
        except: notice_kinds(&values.texts("notify.mail.quiet_except")),
    })
}

fn webhook(values: &Values, mistakes: &mut Vec<Mistake>) -> Option<Webhook> {
    let mut wrong = |key: &'static str, what: &str| {
        mistakes.push(Mistake::at(values.line(key), key, what));
    };
    let target = Target::of(&values.text("notify.webhook.url"));
    if target.is_none() {
        wrong(
            "notify.webhook.url",
            "write an address, https://shop.example/notices",
        );
    }
    let secret = values.text("notify.webhook.secret");
    let secret = secret.strip_prefix("whsec_").map(Base64::decode_vec);
    let secret = secret
        .and_then(Result::ok)
        .filter(|key| key.len() >= SHORTEST_SECRET);
    if secret.is_none() {
        let what = "write whsec_ and the output of `openssl rand -base64 32`";
        wrong("notify.webhook.secret", what);
    }
    let filter = filter(values, "notify.webhook", mistakes);
    Some(Webhook {
        name: values.text("notify.webhook.name"),
        target: target?,
        secret: secret?,
        ca: values.optional_text("notify.webhook.ca").map(PathBuf::from),
        filter,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    const SERVER: &str =
        "[notify.smtp]\naddress = \"127.0.0.1:25\"\nsecurity = \"none\"\nfrom = \"a@b.example\"\n";

    #[test]
    fn channels_are_read_with_what_they_want_to_hear() {
        let text = format!(
            "{SERVER}[[notify.mail]]\nto = \"c@d.example\"\nquiet_from = \"22:00\"\nquiet_until = \"06:00\"\n\
             quiet_except = [\"case\"]\nexcept_alarms = [\"node-silent\"]\n\
             [[notify.webhook]]\nname = \"shop\"\nurl = \"http://127.0.0.1:1/x\"\n\
             secret = \"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\"\nkinds = [\"low-credit\"]\n"
        );
        let notify = Config::parse(&text).expect("a configuration").notify;
        let mail = &notify.mail[0];
        let quiet = mail.quiet.as_ref().expect("quiet hours");
        for (minute, expected) in [
            (22 * 60, true),
            (0, true),
            (359, true),
            (360, false),
            (1_319, false),
        ] {
            assert_eq!(quiet.holds(minute), expected, "{minute}");
        }
        assert_eq!(quiet.except, [NoticeKind::Case]);
        assert_eq!(mail.filter.except_alarms, [AlarmKind::NodeSilent]);
        assert_eq!(
            mail.filter.kinds,
            [NoticeKind::Alarm, NoticeKind::Case, NoticeKind::Approval]
        );
        assert_eq!(notify.webhooks[0].filter.kinds, [NoticeKind::LowCredit]);
        assert_eq!(notify.webhooks[0].secret, b"012345678901234567890123");
        let shown = format!("{notify:?}");
        assert!(!shown.contains("48, 49, 50"), "{shown}");
    }

    #[test]
    fn mistakes_are_named() {
        let check = |text: &str, key: &str| {
            let mistakes = Config::parse(text).expect_err(text);
            assert!(
                mistakes.iter().any(|mistake| mistake.key == key),
                "{text}: {mistakes:?}"
            );
        };
        check("[[notify.mail]]\nto = \"a@b\"\n", "notify.mail.to");
        check(
            &format!("{SERVER}[[notify.mail]]\nto = \"a\"\n"),
            "notify.mail.to",
        );
        check(
            &format!("{SERVER}[[notify.mail]]\nto = \"a@b>\"\n"),
            "notify.mail.to",
        );
        check(&format!("{SERVER}user = \"x\"\n"), "notify.smtp.password");
        let clear = SERVER.replace("127.0.0.1", "mail.example");
        check(
            &format!("{clear}user = \"x\"\npassword = \"y\"\n"),
            "notify.smtp.password",
        );
        check(&SERVER.replace(":25", ""), "notify.smtp.address");
        check(&SERVER.replace("from", "#from"), "notify.smtp.from");
        let hook = "[[notify.webhook]]\nname = \"s\"\nurl = \"http://a/\"\nsecret = \"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\"\n";
        assert!(Config::parse(hook).is_ok());
        check(&hook.replace("http:", "ftp:"), "notify.webhook.url");
        check(
            &hook.replace("whsec_MDEy", "whsec_"),
            "notify.webhook.secret",
        );
        check(&hook.replace("whsec_", ""), "notify.webhook.secret");
        check(&format!("{hook}{hook}"), "notify.webhook.name");
        check(
            &format!("{hook}except_alarms = [\"silence\"]\n"),
            "notify.webhook.except_alarms",
        );
    }
}
