//! What `[notify]` and the sections below it may say.

use super::super::keys::{key, optional, required, whole};
use super::super::{Key, Kind};
use crate::notify::Kind as NoticeKind;

/// Keys of `[notify]`.
pub(in crate::config) const KEYS: &[Key] = &[
    key(
        "give_up_days",
        whole(1, 90),
        "7",
        "What could not be delivered for so many days is given up, counted and logged; until then it is tried again and again.",
    ),
    key(
        "gather_s",
        whole(0, 3_600),
        "30",
        "Notices of so many seconds go into one letter. Webhooks get each one at once.",
    ),
];

/// Those of `[notify.smtp]`.
pub(in crate::config) const SMTP: &[Key] = &[
    optional(
        "address",
        Kind::Text { max: 255 },
        "\"mail.example:587\"",
        "Name or address of the mail server, and port; a relay on this machine is \"127.0.0.1:25\".",
    ),
    key(
        "security",
        Kind::OneOf(&["starttls", "tls", "none"]),
        "\"starttls\"",
        "\"starttls\": usual at port 587. \"tls\": from the start, usual at port 465. \"none\": in clear, for a relay nearby.",
    ),
    optional(
        "ca",
        Kind::Path,
        "\"/etc/prepaid-gateway/mail-ca.pem\"",
        "Authorities that may vouch for the server (PEM); those of the system if absent.",
    ),
    optional(
        "user",
        Kind::Text { max: 255 },
        "\"ward-4\"",
        "Account at the server; needs password. Not in clear, except to this machine.",
    ),
    optional(
        "password",
        Kind::Text { max: 256 },
        "\"…\"",
        "Password of that account.",
    ),
    optional(
        "from",
        Kind::Text { max: 255 },
        "\"gateway@utility.example\"",
        "Address the letters come from; needed with address.",
    ),
];

const KINDS_DOC: &str = "Kinds of notices. alarm: raised; alarm-over: its cause is gone; case: missing energy, opened, going on again, closed;\n\
     case-news: a case has grown or points elsewhere; low-credit: an account fell to a stage of prepay.stages; resident: what a resident\n\
     is told; approval: a correction waits for a second person; supply: a supply is to be off or on.";
const EXCEPT_DOC: &str =
    "Alarms that are not told, by the words of `alarm list --json`, for example [\"node-silent\"].";

const fn kinds(default: &'static str) -> Key {
    key("kinds", Kind::SomeOf(NoticeKind::WORDS), default, KINDS_DOC)
}

const EXCEPT: Key = key("except_alarms", Kind::Texts, "[]", EXCEPT_DOC);

/// Those of a mail address.
pub(in crate::config) const MAIL: &[Key] = &[
    required("to", Kind::Text { max: 255 }, "The address."),
    kinds("[\"alarm\", \"case\", \"approval\"]"),
    EXCEPT,
    key(
        "quiet_from",
        Kind::Time,
        "\"00:00\"",
        "Local time at which quiet hours begin; letters wait until they are over.",
    ),
    key(
        "quiet_until",
        Kind::Time,
        "\"00:00\"",
        "Local time at which they end; the same as quiet_from: there are none.",
    ),
    key(
        "quiet_except",
        Kind::SomeOf(NoticeKind::WORDS),
        "[]",
        "Kinds that do not wait.",
    ),
];

/// Those of a webhook.
pub(in crate::config) const WEBHOOK: &[Key] = &[
    required(
        "name",
        Kind::Text { max: 64 },
        "What it is called in `notify status`.",
    ),
    required(
        "url",
        Kind::Text { max: 1_024 },
        "Where notices are posted to, http:// or https://.",
    ),
    required(
        "secret",
        Kind::Text { max: 256 },
        "Key of the signature: whsec_ and base64 of 24 bytes or more, for example whsec_ and the output of `openssl rand -base64 32`.",
    ),
    kinds(
        "[\"alarm\", \"alarm-over\", \"case\", \"case-news\", \"low-credit\", \"resident\", \"approval\", \"supply\"]",
    ),
    EXCEPT,
    optional(
        "ca",
        Kind::Path,
        "\"/etc/prepaid-gateway/webhook-ca.pem\"",
        "Authorities that may vouch for the server (PEM); those of the system if absent.",
    ),
];
