//! The one table of everything the configuration file may say. It drives validation, [`super::Config`] and the default file.

use super::schema::{Key, Kind, Presence, Schema, Table};
use gateway_core::Micro;

/// Largest amount of money in the file: far above any real one, far below overflow.
pub(super) const LARGEST: Micro = Micro(1_000_000_000 * 1_000_000);

pub(super) const fn money(least: Micro) -> Kind {
    Kind::Amount {
        min: least,
        max: LARGEST,
    }
}

pub(super) const fn whole(min: i64, max: i64) -> Kind {
    Kind::Whole { min, max }
}

pub(super) const fn key(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    doc: &'static str,
) -> Key {
    Key {
        name,
        kind,
        presence: Presence::Default(default),
        doc,
    }
}

pub(super) const fn optional(
    name: &'static str,
    kind: Kind,
    example: &'static str,
    doc: &'static str,
) -> Key {
    Key {
        name,
        kind,
        presence: Presence::Optional(example),
        doc,
    }
}

pub(super) const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        presence: Presence::Required,
        doc,
    }
}

const fn table(path: &'static str, doc: &'static str, keys: &'static [Key]) -> Table {
    Table {
        path,
        many: false,
        doc,
        keys,
        inherits: None,
    }
}

/// What the configuration file may say.
pub static SCHEMA: Schema = Schema {
    tables: &[
        table("site", "The neighbourhood.", SITE),
        table(
            "prepay",
            "Prepayment rules of the site. Amounts are written in quotes.",
            super::prepay::KEYS,
        ),
        table(
            "prepay.friendly",
            "Friendly hours, in which nobody is off because credit is used up.",
            super::friendly::KEYS,
        ),
        table(
            "prepay.vend",
            "What a single recharge may be.",
            super::money::VEND,
        ),
        table(
            "prepay.debt",
            "How debts (arrears, appliance loans, fraud recovery) are paid back; docs/money.md.",
            super::money::DEBT,
        ),
        table(
            "prepay.correction",
            "Setting money right; docs/money.md.",
            super::money::CORRECTION,
        ),
        table(
            "prepay.load_limit",
            "Largest power, and what follows beyond it. Nodes carry it out by themselves, with the gateway dead.",
            super::guard::LOAD_LIMIT,
        ),
        table(
            "prepay.reconnect",
            "How supplies come back.",
            super::guard::RECONNECT,
        ),
        table(
            "prepay.emergency",
            "Emergency credit: a loan inside the account until the next payment.",
            super::credit::EMERGENCY,
        ),
        table(
            "prepay.stages",
            "Low-credit stages: each told once when the credit falls to it, on the page, the node's display and in the journal.",
            super::credit::STAGES,
        ),
        table(
            "prepay.stale",
            "Missing readings. After prepay.silent_after_s there is an alarm; then this. Missing data alone never cuts anybody.",
            super::credit::STALE,
        ),
        Table {
            path: "prepay.class",
            many: true,
            doc: "Prepayment rules of the accounts of one tariff category. Any key of [prepay] and of the sections below it may be repeated\n\
                  here (`emergency.limit = \"100.00\"` for that of [prepay.emergency]); what is not repeated is as there.",
            keys: super::prepay::CLASS,
            inherits: Some("prepay"),
        },
        table(
            "tamper",
            "What nodes hold to be tampering. They judge by themselves, with hysteresis, and never on a single sample.",
            super::guard::TAMPER,
        ),
        table(
            "tokens",
            "Transfer tokens of 20 digits (IEC 62055-41), entered on the page, the command line, the API or a node's keypad.",
            TOKENS,
        ),
        table("store", "What is kept on disk.", STORE),
        table(
            "cycle",
            "How readings are gathered into one write to the card.",
            CYCLE,
        ),
        table("field", "Where meter nodes connect (MQTT 3.1.1).", FIELD),
        table(
            "field.broker",
            "An external broker instead of the gateway's own: the gateway connects there as a client.\n\
             That broker decides who connects and may use which topic; docs/external-broker.md says how to set it up.",
            BROKER,
        ),
        Table {
            path: "field.broker.device",
            many: true,
            doc: "A shop-bought device at that broker: its account, and the topics the broker keeps for it. Repeat the section for each.",
            keys: super::broker::DEVICE,
            inherits: None,
        },
        Table {
            path: "field.client",
            many: true,
            doc: "A program at the site that may use the broker: Home Assistant, a display, a logger.\n\
                  Repeat the section for each. Topics below pg/ are never allowed: they belong to the meter nodes.",
            keys: CLIENT,
            inherits: None,
        },
        Table {
            path: "field.modbus",
            many: true,
            doc: "A bus of meters that speak Modbus, serial or over TCP; docs/modbus.md. Repeat the section for each.",
            keys: super::modbus::KEYS,
            inherits: None,
        },
        table(
            "gpio",
            "What hangs on the pins of the machine (docs/gpio.md). Nothing is touched that is not named here.",
            super::gpio::KEYS,
        ),
        Table {
            path: "gpio.pulse",
            many: true,
            doc: "A meter with an impulse output (S0): of the feeder, or of a usage point. Repeat the section for each.",
            keys: super::gpio::PULSE,
            inherits: None,
        },
        Table {
            path: "gpio.contactor",
            many: true,
            doc: "A contactor that switches the supply of a usage point whose meter cannot. Repeat the section for each, eight at most.",
            keys: super::gpio::CONTACTOR,
            inherits: None,
        },
        Table {
            path: "gpio.button",
            many: true,
            doc: "A button a resident presses to have their supply closed. Repeat the section for each.",
            keys: super::gpio::BUTTON,
            inherits: None,
        },
        table(
            "power",
            "What the gateway's machine runs on, and when it is switched off (docs/gpio.md). A pin that says it is gpio.mains.",
            super::power::KEYS,
        ),
        table(
            "loss",
            "The watch over the feeders: which energy reaches no meter, and whose it may be (docs/loss.md).",
            super::loss::KEYS,
        ),
        Table {
            path: "loss.unmetered",
            many: true,
            doc: "A known load without a meter, for example a street light. Repeat the section for each; what is not declared looks like a theft.",
            keys: super::loss::UNMETERED,
            inherits: None,
        },
        table(
            "loss.resident",
            "What residents are told about missing energy.",
            super::resident::KEYS,
        ),
        Table {
            path: "loss.resident.text",
            many: true,
            doc: "The site's own words for the residents' pages, one section for each news and language.",
            keys: super::resident::TEXT,
            inherits: None,
        },
        table(
            "loss.switch_test",
            "A supply opened for a moment, to compare what the feeder delivers less with what the meter counted.",
            super::switch_test::KEYS,
        ),
        table(
            "cloud",
            "A head-end, over any MQTT broker; docs/cloud.md is the protocol. Everything here works without one.",
            super::cloud::KEYS,
        ),
        table(
            "notify",
            "Telling people outside, by e-mail and webhook; docs/notify.md. `prepaid-gateway notify test` tries it out.",
            super::notify::KEYS,
        ),
        table(
            "notify.smtp",
            "The mail server that takes the letters.",
            super::notify::SMTP,
        ),
        Table {
            path: "notify.mail",
            many: true,
            doc: "Somebody who gets letters. Repeat the section for each.",
            keys: super::notify::MAIL,
            inherits: None,
        },
        Table {
            path: "notify.webhook",
            many: true,
            doc: "A program that notices are posted to. Repeat the section for each.",
            keys: super::notify::WEBHOOK,
            inherits: None,
        },
        table(
            "home_assistant",
            "State for Home Assistant over MQTT, read-only; docs/home-assistant.md.",
            super::home_assistant::KEYS,
        ),
        table(
            "backup",
            "Encrypted copies of the gateway's memory, made by `prepaid-gateway backup` and daily by its timer; docs/backup.md.",
            super::backup::KEYS,
        ),
        table("web", "The page and the HTTP API.", WEB),
        table(
            "clock",
            "Whether the time may be believed.",
            super::clock::KEYS,
        ),
        table(
            "log",
            "What is logged: to the journal under systemd, to standard error otherwise.",
            LOG,
        ),
    ],
};

const SITE: &[Key] = &[
    key(
        "name",
        Kind::Text { max: 64 },
        "\"Neighbourhood\"",
        "Shown on the page.",
    ),
    key(
        "currency",
        Kind::Text { max: 8 },
        "\"INR\"",
        "Currency code (ISO 4217); tariffs must be in the same currency.",
    ),
    key(
        "utc_offset",
        Kind::Offset,
        "\"+05:30\"",
        "Local time minus UTC. Local days and billing periods follow it.",
    ),
    key(
        "billing_period_start_day",
        whole(1, 28),
        "1",
        "Day of the month on which a billing period begins; every month has days 1 to 28.",
    ),
    key(
        "tariffs_dir",
        Kind::Path,
        "\"/etc/prepaid-gateway/tariffs\"",
        "Directory of tariff files (*.toml). Those shipped with the gateway are always there as well.",
    ),
    key(
        "default_max_power_w",
        whole(100, 1_000_000),
        "23000",
        "Largest power of a connection that names none, in watts; 23000 is 100 A at 230 V.\n\
         A register that advances faster is set aside, not charged.",
    ),
];

const TOKENS: &[Key] = &[
    optional(
        "keys_file",
        Kind::Path,
        "\"/etc/prepaid-gateway/token-keys.toml\"",
        "File of the usage points' token keys, readable by the service only; docs/tokens.md says what it holds.\n\
         Without it no token is taken.",
    ),
    key(
        "credit",
        Kind::OneOf(&["energy-at-tariff", "money"]),
        "\"energy-at-tariff\"",
        "\"energy-at-tariff\": a token of 10.0 units is worth what 10 kWh cost the account from where it stands in its billing period.\n\
         \"money\": a token of 10.0 units is worth 10.0 of the currency.",
    ),
];

const STORE: &[Key] = &[
    key(
        "data_dir",
        Kind::Path,
        "\"/var/lib/prepaid-gateway\"",
        "Directory of the database and the control socket.",
    ),
    key(
        "keep_readings_days",
        whole(1, 3_650),
        "90",
        "Days for which single readings are kept; load profiles and money are kept for good.",
    ),
    key(
        "largest_mib",
        whole(0, 1_000_000),
        "0",
        "Most MiB of the database; 0: any. Beyond it the oldest single readings go first, then quarter-hours, then half hours;\n\
         decisions and money never.",
    ),
    key(
        "keep_free_mib",
        whole(0, 1_000_000),
        "256",
        "When the disk has less than so many MiB free, the database stops to grow: the same goes, in the same order.",
    ),
    key(
        "card_endurance_tb",
        whole(1, 100_000),
        "5",
        "Terabytes the memory card may be written, for the forecast of its wear: of the card's data sheet (\"TBW\"). 5 is what a plain card of\n\
         16 GB can be expected to stand; a high-endurance card of 32 GB stands some 20.",
    ),
];

const CYCLE: &[Key] = &[
    key(
        "gather_ms",
        whole(0, 60_000),
        "25000",
        "Longest wait for more readings before one write, in milliseconds. Longer is kinder to the card: with 300 meters\n\
         a minute, 25000 writes a third of what 5000 does. The page is at most this late. Never more than five twelfths\n\
         of report_interval_s, so that no node reports again for want of an acknowledgement.\n\
         Recharges, orders and exhausted credit never wait.",
    ),
    key(
        "batch",
        whole(1, 10_000),
        "512",
        "Most readings in one write.",
    ),
    key(
        "report_interval_s",
        whole(1, 3_600),
        "60",
        "Seconds between two reports of a node. A node cuts by itself and reports at once what it did,\n\
         so this only sets how fresh the page is and how much is written.",
    ),
];

const FIELD: &[Key] = &[
    key(
        "listen",
        Kind::Address,
        "\"0.0.0.0:1883\"",
        "Address of the broker. Frames are sealed with each node's own key, so plain TCP tells nothing.",
    ),
    optional(
        "tls_listen",
        Kind::Address,
        "\"0.0.0.0:8883\"",
        "Address of the broker with TLS; needs tls_cert and tls_key.",
    ),
    optional(
        "tls_cert",
        Kind::Path,
        "\"/etc/prepaid-gateway/tls.crt\"",
        "Certificate chain (PEM).",
    ),
    optional(
        "tls_key",
        Kind::Path,
        "\"/etc/prepaid-gateway/tls.key\"",
        "Private key of the certificate (PEM).",
    ),
    key(
        "max_connections",
        whole(1, 10_000),
        "2048",
        "Most connections at a time.",
    ),
    key(
        "anonymous_publish",
        Kind::Texts,
        "[]",
        "Topics that programs without a name and password may publish to. For trying things out: anybody\n\
         on the network has this access.",
    ),
    key(
        "anonymous_subscribe",
        Kind::Texts,
        "[]",
        "Topics that programs without a name and password may subscribe to.",
    ),
    key(
        "meter_models_dir",
        Kind::Path,
        "\"/etc/prepaid-gateway/meter-models\"",
        "Directory of meter models (*.toml). Those shipped with the gateway are always there; one here takes the place of a\n\
         shipped one with the same id.",
    ),
];

const BROKER: &[Key] = &[
    optional(
        "address",
        Kind::Text { max: 255 },
        "\"127.0.0.1:1884\"",
        "Name or address, and port. With it the gateway opens no listener of its own.",
    ),
    optional(
        "user",
        Kind::Text { max: 64 },
        "\"prepaid-gateway\"",
        "The gateway's account there; needs password.",
    ),
    optional(
        "password",
        Kind::Text { max: 128 },
        "\"…\"",
        "Password of that account. It travels in clear: use a broker on this machine or a trusted network.",
    ),
    key(
        "client_id",
        Kind::Text { max: 64 },
        "\"prepaid-gateway\"",
        "Names the session that the broker keeps for this gateway; another one for each gateway.",
    ),
];

const CLIENT: &[Key] = &[
    required(
        "name",
        Kind::Text { max: 64 },
        "MQTT user name; not eight digits, those are nodes.",
    ),
    required("password", Kind::Text { max: 128 }, "MQTT password."),
    key(
        "publish",
        Kind::Texts,
        "[]",
        "Topics it may publish to; + and # stand for any level(s).",
    ),
    key(
        "subscribe",
        Kind::Texts,
        "[]",
        "Topics it may subscribe to.",
    ),
];

const WEB: &[Key] = &[
    key(
        "listen",
        Kind::Address,
        "\"0.0.0.0:8080\"",
        "Address of the page. A socket of systemd can stand in its place (docs/ports.md), as for the broker's.",
    ),
    key(
        "access",
        Kind::OneOf(&["password", "open"]),
        "\"password\"",
        "\"password\": log in by name and password, as `prepaid-gateway person` says; the first one, `operator`, is\n\
         set by `prepaid-gateway operator set-password`.\n\
         \"open\": no login, only if listen is a loopback address.",
    ),
    key(
        "metrics_from",
        Kind::Hosts,
        "[]",
        "Addresses that may read /metrics besides this machine itself.",
    ),
];

const LOG: &[Key] = &[key(
    "level",
    Kind::OneOf(&["error", "warn", "info", "debug", "trace"]),
    "\"info\"",
    "Least important messages that are logged.",
)];
