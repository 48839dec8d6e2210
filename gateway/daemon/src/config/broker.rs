//! `[field.broker]`: an external broker instead of the own one.

use super::keys::{key, required};
use super::{Key, Kind, Mistake, Values};

/// `[field.broker]`
#[derive(Clone, PartialEq, Eq)]
pub struct Broker {
    /// Name or address; an IPv6 address in brackets.
    pub host: String,
    /// Not 0.
    pub port: u16,
    /// User name and password; `Debug` never shows them.
    pub login: Option<(String, String)>,
    /// The same from start to start.
    pub client_id: String,
    /// Logins of the site's devices at that broker.
    pub devices: Vec<DeviceTopics>,
}

/// `[[field.broker.device]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceTopics {
    /// The login.
    pub login: String,
    /// What the broker lets this login publish to, and no other.
    pub publish: Vec<String>,
}

/// Its keys.
pub(super) const DEVICE: &[Key] = &[
    required(
        "login",
        Kind::Text { max: 64 },
        "Its account at that broker, as meters name it.",
    ),
    key(
        "publish",
        Kind::Texts,
        "[]",
        "Topics that broker's access list lets this account publish to, and no other.",
    ),
];

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self} as {}", self.client_id)
    }
}

impl std::fmt::Display for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

const ADDRESS: &str = "field.broker.address";
const USER: &str = "field.broker.user";
const PASSWORD: &str = "field.broker.password";

/// `[field.broker]`, if an address is there. Keys of the own broker beside it are mistakes: whoever wrote them expects it to listen.
pub(super) fn broker(values: &Values, mistakes: &mut Vec<Mistake>) -> Option<Broker> {
    let login = login(values, mistakes);
    let devices = devices(values, mistakes);
    let mut mistake = |line, key: &str, what: &str| mistakes.push(Mistake::at(line, key, what));
    let client_id = values.text("field.broker.client_id");
    if !client_id.bytes().all(|byte| byte.is_ascii_graphic()) {
        let line = values.line("field.broker.client_id");
        let what = "write ASCII letters, digits and signs without spaces";
        mistake(line, "field.broker.client_id", what);
    }
    let Some(address) = values.optional_text(ADDRESS) else {
        if let Some(line) = [USER, PASSWORD]
            .into_iter()
            .find_map(|key| values.line(key))
        {
            mistake(
                Some(line),
                ADDRESS,
                "missing; write a name or address, and a port, \"broker:1883\"",
            );
        }
        return None;
    };
    for key in [
        "field.listen",
        "field.tls_listen",
        "field.max_connections",
        "field.anonymous_publish",
        "field.anonymous_subscribe",
    ] {
        if let Some(line) = values.line(key) {
            let what = "has no effect beside field.broker.address; take one of them out";
            mistake(Some(line), key, what);
        }
    }
    for client in values.many("field.client") {
        let what = "has no effect beside field.broker.address; make the account at that broker";
        mistake(client.line("field.client.name"), "field.client", what);
    }
    let port = |port: &str| port.parse().ok().filter(|port: &u16| *port != 0);
    let split = address
        .rsplit_once(':')
        .and_then(|(host, digits)| Some((host, port(digits)?)));
    match split {
        Some((host, port)) if !host.is_empty() && !host.contains(char::is_whitespace) => {
            Some(Broker {
                host: host.into(),
                port,
                login,
                client_id,
                devices,
            })
        }
        _ => {
            let what = "write a name or address, and a port, \"broker:1883\"";
            mistake(values.line(ADDRESS), ADDRESS, what);
            None
        }
    }
}

fn login(values: &Values, mistakes: &mut Vec<Mistake>) -> Option<(String, String)> {
    match (values.optional_text(USER), values.optional_text(PASSWORD)) {
        (Some(user), Some(password)) => Some((user, password)),
        (None, None) => None,
        (given, _) => {
            let there_and_absent = if given.is_some() {
                (USER, PASSWORD)
            } else {
                (PASSWORD, USER)
            };
            let (there, absent) = there_and_absent;
            let what = "missing; a login is user and password together";
            mistakes.push(Mistake::at(values.line(there), absent, what));
            None
        }
    }
}

/// Devices there: no topic for two logins, and none of the nodes'.
fn devices(values: &Values, mistakes: &mut Vec<Mistake>) -> Vec<DeviceTopics> {
    let mut devices: Vec<DeviceTopics> = Vec::new();
    for device in values.many("field.broker.device") {
        let line = device.line("field.broker.device.publish");
        let publish = device.texts("field.broker.device.publish");
        let login = device.text("field.broker.device.login");
        let mut mistake = |what: String| {
            mistakes.push(Mistake::at(line, "field.broker.device.publish", what));
        };
        for filter in &publish {
            let first = filter.split('/').next().unwrap_or_default();
            if filter.is_empty() || ["pg", "+", "#"].contains(&first) || first.starts_with('$') {
                mistake(format!(
                    "{filter:?} reaches topics that are no device's; begin with the device's own level"
                ));
            }
            let taken = devices
                .iter()
                .find(|other| other.publish.iter().any(|theirs| overlap(theirs, filter)));
            if let Some(other) = taken {
                mistake(format!(
                    "{filter:?} is also {}'s; a topic belongs to one login, or nobody knows who spoke",
                    other.login
                ));
            }
        }
        devices.push(DeviceTopics { login, publish });
    }
    devices
}

/// Whether a topic can match both filters.
fn overlap(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('/'), other.split('/'));
    loop {
        match (one.next(), other.next()) {
            (Some("#"), _) | (_, Some("#")) => return true,
            (None, None) => return true,
            (None, Some(_)) | (Some(_), None) => return false,
            (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
            (Some(here), Some(there)) if here == there => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::overlap;

    #[test]
    fn filters_overlap_if_a_topic_can_match_both() {
        for (one, other, expected) in [
            ("tele/plug7/#", "tele/plug8/#", false),
            ("tele/plug7/#", "tele/plug7/LWT", true),
            ("tele/+/LWT", "tele/plug7/#", true),
            ("a/b", "a/b/c", false),
            ("a/#", "a", true),
            ("+/x", "a/y", false),
        ] {
            assert_eq!(overlap(one, other), expected, "{one} {other}");
            assert_eq!(overlap(other, one), expected, "{other} {one}");
        }
    }
}
