//! The configuration of a site: one TOML file, read once at start.
//!
//! Decided here: what the file may say ([`keys`]), what it means ([`Config`]), and every mistake in it, named with line, key and
//! the nearest right key ([`Mistake`]). Not decided here: whether files named in it are usable ([`mod@check`]).
//!
//! Invariant: an empty file is a valid configuration; `packaging/gateway.toml` is generated and means the same.

mod backup;
mod broker;
pub mod check;
mod clock;
mod cloud;
mod credit;
mod friendly;
mod gpio;
mod guard;
mod home_assistant;
pub mod keys;
mod loss;
mod mistake;
mod modbus;
mod money;
mod notify;
mod paths;
mod power;
mod prepay;
mod read;
mod resident;
mod schema;
mod switch_test;
mod template;

pub use backup::Backup;
pub use broker::Broker;
pub use clock::{ClockConfig, ClockTrust};
pub use cloud::Cloud;
pub use gpio::{Button, Coil, Contact, Contactor, Gpio, Lamp, PulseInput};
pub use home_assistant::HomeAssistant;
pub use mistake::Mistake;
pub use notify::{Mail, Notify, Quiet, Security, Smtp, Webhook};
pub use paths::{
    DATA_DIR, cloud_memory_in, database_in, notify_memory_in, operator_password_in, socket_in,
};
pub use power::Power;
pub use prepay::Prepay;
pub use read::{Values, read};
pub use schema::{Key, Kind, Presence, Schema, Table};
pub use template::template;

use gateway_core::Rules;
use gateway_core::calendar::Calendar;
use gateway_core::case::{Ground, ResidentRules, TrialRules};
use gateway_core::tamper_policy::TamperPolicy;
use gateway_core::tokens::TokenCredit;
use gateway_field::modbus::BusSettings;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything a site has configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The neighbourhood.
    pub site: Site,
    /// Money and silence.
    pub prepay: Prepay,
    /// What is tampering, and what follows.
    pub tamper: TamperPolicy,
    /// Transfer tokens.
    pub tokens: Tokens,
    /// What is kept on disk.
    pub store: Store,
    /// How readings are gathered.
    pub cycle: Cycle,
    /// Where nodes connect.
    pub field: Field,
    /// What hangs on the pins.
    pub gpio: Gpio,
    /// What the machine runs on.
    pub power: Power,
    /// The watch over the feeders.
    pub loss: Ground,
    /// What residents are told about cases.
    pub resident: ResidentRules,
    /// Whether a supply may be opened as an experiment.
    pub switch_test: TrialRules,
    /// The head-end.
    pub cloud: Cloud,
    /// Who is told what.
    pub notify: Notify,
    /// `[home_assistant]`
    pub home_assistant: HomeAssistant,
    /// `[backup]`
    pub backup: Backup,
    /// The page.
    pub web: Web,
    /// Whether the clock is believed.
    pub clock: ClockConfig,
    /// Least important messages that are logged.
    pub log_level: log::LevelFilter,
}

/// `[site]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Shown on the page.
    pub name: String,
    /// Currency code, ISO 4217.
    pub currency: String,
    /// Local days and billing periods.
    pub calendar: Calendar,
    /// Directory of tariff files.
    pub tariffs_dir: PathBuf,
    /// Largest power of a connection that names none, in watts.
    pub default_max_power_w: u32,
}

/// Cards are rated in decimal terabytes.
const BYTES_PER_TB: u64 = 1_000_000_000_000;

/// `[tokens]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// File of the keys; without it no token is taken.
    pub keys_file: Option<PathBuf>,
    /// What a credit is worth.
    pub credit: TokenCredit,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Directory of the database and the control socket.
    pub data_dir: PathBuf,
    /// Days for which single readings are kept.
    pub keep_readings_days: u32,
    /// Most MiB of the database; 0: any.
    pub largest_mib: u64,
    /// MiB of the disk left free.
    pub keep_free_mib: u64,
    /// Bytes the card is rated for.
    pub card_endurance: u64,
}

/// `[cycle]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle {
    /// Longest wait for more readings.
    pub gather: Duration,
    /// Most readings in one write.
    pub batch: usize,
    /// Seconds between two reports of a node.
    pub report_interval_s: u16,
}

/// `[field]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Plain MQTT.
    pub listen: SocketAddr,
    /// MQTT with TLS.
    pub tls: Option<Tls>,
    /// A broker to connect to instead of listening.
    pub broker: Option<Broker>,
    /// Most connections at a time.
    pub max_connections: usize,
    /// Site clients.
    pub clients: Vec<Client>,
    /// Topics that clients without a login may publish to.
    pub anonymous_publish: Vec<String>,
    /// Topics that clients without a login may subscribe to.
    pub anonymous_subscribe: Vec<String>,
    /// Buses of meters that speak Modbus.
    pub modbus: Vec<BusSettings>,
    /// Directory of meter models.
    pub meter_models_dir: PathBuf,
}

/// `field.tls_*`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Where.
    pub listen: SocketAddr,
    /// Certificate chain (PEM).
    pub cert: PathBuf,
    /// Private key (PEM).
    pub key: PathBuf,
}

/// `[[field.client]]`
#[derive(Clone, PartialEq, Eq)]
pub struct Client {
    /// MQTT user name.
    pub name: String,
    /// MQTT password; `Debug` never shows it.
    pub password: String,
    /// Topics it may publish to.
    pub publish: Vec<String>,
    /// Topics it may subscribe to.
    pub subscribe: Vec<String>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// `[web]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Web {
    /// Address of the page.
    pub listen: SocketAddr,
    /// Who may see it.
    pub access: WebAccess,
    /// Who may read the metrics besides this machine.
    pub metrics_from: Vec<IpAddr>,
}

/// `web.access`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebAccess {
    /// Whoever knows the operator's password.
    Password,
    /// Everybody on this machine.
    Open,
}

/// Largest configuration or tariff file read: a hundred times a real one.
pub const LARGEST_FILE: u64 = 1 << 20;

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// Every mistake, in the order of the lines.
    pub fn load(path: &Path) -> Result<Self, Vec<Mistake>> {
        Self::parse(&read_text(path)?)
    }

    /// Reads the text of a configuration file.
    ///
    /// # Errors
    /// Every mistake, in the order of the lines.
    pub fn parse(text: &str) -> Result<Self, Vec<Mistake>> {
        let values = read(&keys::SCHEMA, text)?;
        let mut mistakes = Vec::new();
        let gpio = gpio::gpio(&values, &mut mistakes);
        let config = Self {
            site: Site {
                name: values.text("site.name"),
                currency: values.text("site.currency"),
                calendar: Calendar {
                    utc_offset_s: values.offset("site.utc_offset"),
                    period_start_day: values.whole("site.billing_period_start_day"),
                },
                tariffs_dir: values.text("site.tariffs_dir").into(),
                default_max_power_w: values.whole("site.default_max_power_w"),
            },
            prepay: prepay::prepay(&values, &mut mistakes),
            tamper: guard::tamper(&values),
            tokens: Tokens {
                keys_file: values.optional_text("tokens.keys_file").map(PathBuf::from),
                credit: match values.text("tokens.credit").as_str() {
                    "money" => TokenCredit::Money,
                    _ => TokenCredit::EnergyAtTariff,
                },
            },
            store: Store {
                data_dir: values.text("store.data_dir").into(),
                keep_readings_days: values.whole("store.keep_readings_days"),
                largest_mib: values.whole("store.largest_mib"),
                keep_free_mib: values.whole("store.keep_free_mib"),
                card_endurance: values.whole::<u64>("store.card_endurance_tb") * BYTES_PER_TB,
            },
            cycle: Cycle {
                gather: Duration::from_millis(values.whole("cycle.gather_ms")),
                batch: values.whole("cycle.batch"),
                report_interval_s: values.whole("cycle.report_interval_s"),
            },
            field: field(&values, &mut mistakes),
            power: power::power(&values, &gpio, &mut mistakes),
            gpio,
            loss: loss::loss(&values, values.offset("site.utc_offset"), &mut mistakes),
            resident: resident::resident(&values, &mut mistakes),
            switch_test: switch_test::switch_test(&values, &mut mistakes),
            cloud: cloud::cloud(&values, &mut mistakes),
            notify: notify::notify(&values, &mut mistakes),
            home_assistant: home_assistant::home_assistant(&values, &mut mistakes),
            backup: backup::backup(&values, &mut mistakes),
            web: web(&values, &mut mistakes),
            clock: clock::clock(&values),
            log_level: values
                .text("log.level")
                .parse()
                .unwrap_or(log::LevelFilter::Info),
        };
        if mistakes.is_empty() {
            Ok(config)
        } else {
            Err(mistakes)
        }
    }

    /// The settings the core decides by.
    pub fn rules(&self) -> Rules {
        Rules {
            calendar: self.site.calendar,
            prepay: self.prepay.rules.clone(),
            classes: self.prepay.classes.clone(),
            default_max_power_w: self.site.default_max_power_w,
            silent_after_s: self.prepay.silent_after_s,
            armed: self.prepay.armed,
            tamper: self.tamper,
            resident: self.resident.clone(),
            trials: self.switch_test.clone(),
        }
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        database_in(&self.store.data_dir)
    }

    /// The control socket.
    pub fn control_socket(&self) -> PathBuf {
        socket_in(&self.store.data_dir)
    }
}

/// Reads a file that people write, if it is text of a sensible size.
///
/// # Errors
/// One mistake without a line.
pub fn read_text(path: &Path) -> Result<String, Vec<Mistake>> {
    use std::io::Read as _;
    let wrong = |what: String| vec![Mistake::at(None, "", what)];
    let file = std::fs::File::open(path).map_err(|error| {
        wrong(format!(
            "cannot be read: {error}; check the path and its permissions"
        ))
    })?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(wrong(
            "is larger than 1 MiB: not a file written by hand".into(),
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.split(|byte| *byte == b'\n').count();
        vec![Mistake::at(
            Some(line),
            "",
            "is not UTF-8; save it as UTF-8",
        )]
    })
}

fn field(values: &Values, mistakes: &mut Vec<Mistake>) -> Field {
    let parts = ["field.tls_listen", "field.tls_cert", "field.tls_key"];
    let path = |key| values.optional_text(key).map(PathBuf::from);
    let tls = match (values.address(parts[0]), path(parts[1]), path(parts[2])) {
        (Some(listen), Some(cert), Some(key)) => Some(Tls { listen, cert, key }),
        (None, None, None) => None,
        _ => {
            let line = parts.iter().find_map(|key| values.line(key));
            let absent = parts.into_iter().filter(|key| values.line(key).is_none());
            for key in absent {
                let what = "missing; TLS needs tls_listen, tls_cert and tls_key together";
                mistakes.push(Mistake::at(line, key, what));
            }
            None
        }
    };
    let mut clients: Vec<Client> = Vec::new();
    for client in values.many("field.client") {
        let (key, line) = ("field.client.name", client.line("field.client.name"));
        let name = client.text(key);
        if name.len() == 8 && name.bytes().all(|b| b.is_ascii_digit()) {
            mistakes.push(Mistake::at(
                line,
                key,
                "eight digits are a node's name; choose a word",
            ));
        }
        if clients.iter().any(|other| other.name == name) {
            mistakes.push(Mistake::at(line, key, format!("\"{name}\" is there twice")));
        }
        clients.push(Client {
            name,
            password: client.text("field.client.password"),
            publish: client.texts("field.client.publish"),
            subscribe: client.texts("field.client.subscribe"),
        });
    }
    Field {
        listen: values.address("field.listen").unwrap_or_else(unspecified),
        tls,
        broker: broker::broker(values, mistakes),
        max_connections: values.whole("field.max_connections"),
        clients,
        anonymous_publish: values.texts("field.anonymous_publish"),
        anonymous_subscribe: values.texts("field.anonymous_subscribe"),
        modbus: modbus::buses(values, mistakes),
        meter_models_dir: values.text("field.meter_models_dir").into(),
    }
}

fn web(values: &Values, mistakes: &mut Vec<Mistake>) -> Web {
    let listen = values.address("web.listen").unwrap_or_else(unspecified);
    let access = match values.text("web.access").as_str() {
        "open" => WebAccess::Open,
        _ => WebAccess::Password,
    };
    if access == WebAccess::Open && !listen.ip().is_loopback() {
        let what = format!(
            "\"open\" would let everybody on the network in; set web.listen = \"127.0.0.1:{}\" or access = \"password\"",
            listen.port()
        );
        mistakes.push(Mistake::at(values.line("web.access"), "web.access", what));
    }
    Web {
        listen,
        access,
        metrics_from: values.hosts("web.metrics_from"),
    }
}

/// Never reached for a key with a default.
fn unspecified() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], 0))
}
