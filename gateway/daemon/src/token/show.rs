//! Showing what a token says.

use super::args::DecodeArgs;
use super::keys;
use super::{Failed, Shown};
use gateway_core::tokens::{
    BaseDate, Block, Commodity, Issue, Message, NotOpened, Register, TokenNumber, amount_of,
};
use serde_json::{Value, json};

const DOING: &str = "read the token";

/// `token decode`
pub fn decode(args: &DecodeArgs) -> Result<Shown, Failed> {
    let algorithm = || keys::algorithm(&args.cipher, DOING);
    let key = match (&args.decoder_key, &args.decoder_key_file) {
        (Some(hex), _) => Some(keys::decoder_key(&algorithm()?, hex, DOING)?),
        (None, Some(path)) => {
            let hex = keys::secret(path, DOING)?;
            Some(keys::decoder_key(&algorithm()?, &hex, DOING)?)
        }
        (None, None) => None,
    };
    match Block::open(args.token, key.as_ref()) {
        Ok(block) => Ok(opened(args.token, &block, args.base_date)),
        Err(NotOpened::ChecksumWrong) => Ok(closed(args.token)),
        Err(NotOpened::NeedsKey) => {
            let class = args.token.class();
            let why = format!("class {class} is enciphered; give the meter's key, --decoder-key");
            Err(Failed::new(DOING, "key-needed", why))
        }
    }
}

/// A token whose checksum holds.
pub fn opened(token: TokenNumber, block: &Block, base_date: Option<BaseDate>) -> Shown {
    let message = Message::read(block);
    let mut json = json!({
        "token": token.to_string(),
        "class": block.class(),
        "subclass": block.subclass(),
        "random": null,
        "tid": null,
        "value16": null,
        "crc_ok": true,
    });
    let mut text = format!("class {}, sub-class {}", block.class(), block.subclass());
    let mut say = |name: &str, value: Value, words: String| {
        json[name] = value;
        text.push_str(&words);
    };
    match message {
        Message::Credit { commodity, issue } => {
            let (unit, what) = credited(commodity);
            let tenths = amount_of(issue.value);
            let amount = format!("{}.{}", tenths / 10, tenths % 10);
            let words = format!(": {amount} {unit} of {what}");
            say("amount", json!(amount), words);
            say("unit", json!(unit), String::new());
            fields(issue, base_date, &mut say);
        }
        Message::Set { register, issue } => {
            let amount = amount_of(issue.value);
            let words = match register {
                Register::PowerLimit => format!(": maximum power {amount} W"),
                Register::UnbalanceLimit => format!(": largest phase difference {amount} W"),
                Register::ClearCredit => ": clear credit".into(),
                Register::ClearTamper => ": clear the tamper condition".into(),
                Register::TariffRate => ": tariff rate".into(),
            };
            if matches!(register, Register::PowerLimit | Register::UnbalanceLimit) {
                say("limit_w", json!(amount), String::new());
            }
            say("register", json!(register_name(register)), words);
            fields(issue, base_date, &mut say);
        }
        Message::MeterTest {
            control,
            manufacturer,
            ..
        } => {
            say("control", json!(control), format!(": test {control:#x}"));
            let words = format!(", manufacturer {manufacturer}");
            say("manufacturer", json!(manufacturer), words);
        }
        Message::Key(part) => {
            let words = format!(": part {} of a new key", part.number());
            say("key_part", json!(part.number()), words);
        }
        Message::Unknown { .. } => say("known", json!(false), ": meaning not known".into()),
    }
    Shown { text, json }
}

fn fields(issue: Issue, base_date: Option<BaseDate>, say: &mut impl FnMut(&str, Value, String)) {
    let words = format!("\nrandom {}", issue.random);
    say("random", json!(issue.random), words);
    let words = format!("\nidentifier {}", issue.tid.minutes());
    say("tid", json!(issue.tid.minutes()), words);
    let words = format!("\nvalue {:#06x}", issue.value);
    say("value16", json!(issue.value), words);
    if let Some(base_date) = base_date {
        let issued = base_date.issued_at(issue.tid).to_string();
        let words = format!("\nissued {issued}");
        say("issued", json!(issued), words);
    }
}

/// A token whose checksum is wrong; nothing but the class is known.
fn closed(token: TokenNumber) -> Shown {
    let class = token.class();
    Shown {
        text: format!("class {class}; the checksum is wrong: digits mistyped, or another meter's"),
        json: json!({
            "token": token.to_string(),
            "class": class,
            "subclass": null,
            "random": null,
            "tid": null,
            "value16": null,
            "crc_ok": false,
        }),
    }
}

fn credited(commodity: Commodity) -> (&'static str, &'static str) {
    match commodity {
        Commodity::Electricity => ("kWh", "electricity"),
        Commodity::Water => ("m3", "water"),
        Commodity::Gas => ("m3", "gas"),
        Commodity::Time => ("min", "time"),
        Commodity::ElectricityMoney => ("currency", "money for electricity"),
        Commodity::WaterMoney => ("currency", "money for water"),
        Commodity::GasMoney => ("currency", "money for gas"),
        Commodity::TimeMoney => ("currency", "money for time"),
    }
}

fn register_name(register: Register) -> &'static str {
    match register {
        Register::PowerLimit => "power-limit",
        Register::ClearCredit => "clear-credit",
        Register::TariffRate => "tariff-rate",
        Register::ClearTamper => "clear-tamper",
        Register::UnbalanceLimit => "unbalance-limit",
    }
}
