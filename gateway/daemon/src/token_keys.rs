//! The file of token keys: which key each usage point's tokens are enciphered with.
//!
//! Decided here: what the file may say, who may read it. Not decided here: whether a token is taken (the core).
//!
//! Invariants: a mistake names the line and the key of the file, never a secret in it; a file that others may read is refused;
//! no two usage points share a key, so a token is good at one of them only.

use crate::config::{Config, Key, Kind, Mistake, Presence, Schema, Table, Values, read, read_text};
use crate::gateway::StartError;
use gateway_core::UsagePointId;
use gateway_core::tokens::{
    Algorithm, BaseDate, DecoderKey, Ea07Tables, KeyTerms, KeyType, MeterKey, MeterPan, TokenRules,
    VendingKey,
};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// The keys by usage point.
pub type MeterKeys = BTreeMap<UsagePointId, MeterKey>;

/// Permission bits of group and others.
const OTHERS: u32 = 0o077;

const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    let presence = Presence::Required;
    Key {
        name,
        kind,
        presence,
        doc,
    }
}

const fn default(name: &'static str, kind: Kind, text: &'static str, doc: &'static str) -> Key {
    let presence = Presence::Default(text);
    Key {
        name,
        kind,
        presence,
        doc,
    }
}

const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    let presence = Presence::Optional("\"…\"");
    Key {
        name,
        kind,
        presence,
        doc,
    }
}

const fn whole(min: i64, max: i64) -> Kind {
    Kind::Whole { min, max }
}

static SCHEMA: Schema = Schema {
    tables: &[Table {
        path: "meter",
        many: true,
        inherits: None,
        doc: "A usage point that takes tokens.",
        keys: METER,
    }],
};

const METER: &[Key] = &[
    required("usage_point", whole(1, u32::MAX as i64), "Its number."),
    required(
        "pan",
        Kind::Text { max: 18 },
        "Meter number: 18 digits, or 11 or 13.",
    ),
    required("supply_group", Kind::Text { max: 6 }, "Supply group code."),
    required("tariff_index", whole(0, 99), "Tariff index."),
    required("key_revision", whole(1, 9), "Key revision number."),
    default("key_type", whole(0, 3), "2", "Key type."),
    default(
        "base_date",
        whole(1993, 2035),
        "2014",
        "Year identifiers are counted from.",
    ),
    default("expiry", whole(0, 255), "255", "Key expiry number."),
    default(
        "ea",
        Kind::OneOf(&["11", "07"]),
        "\"11\"",
        "Encipherment algorithm.",
    ),
    optional("ea07_tables", Kind::Path, "Table file of EA07."),
    optional(
        "decoder_key",
        Kind::Text { max: 64 },
        "The meter's key, hexadecimal.",
    ),
    optional(
        "vending_key",
        Kind::Text { max: 64 },
        "Or the key it is derived from.",
    ),
];

/// What the cycle takes tokens by. The keys go from the file to its memory and nowhere else.
///
/// # Errors
/// [`StartError::TokenKeys`].
pub fn rules(config: &Config) -> Result<TokenRules, StartError> {
    let credit = config.tokens.credit;
    let keys = match &config.tokens.keys_file {
        None => MeterKeys::new(),
        Some(path) => load(path).map_err(|mistakes| {
            let mistake = mistakes.into_iter().next();
            StartError::TokenKeys {
                path: path.clone(),
                mistake: mistake.map(|m| m.to_string()).unwrap_or_default(),
            }
        })?,
    };
    Ok(TokenRules { credit, keys })
}

/// Reads the file.
///
/// # Errors
/// Every mistake: others may read it, it is no TOML of this kind, a key is not one, two usage points share one.
pub fn load(path: &Path) -> Result<MeterKeys, Vec<Mistake>> {
    let whole = |what: String| vec![Mistake::at(None, "", what)];
    let file = std::fs::metadata(path).map_err(|error| {
        whole(format!(
            "cannot be read: {error}; check the path and its permissions"
        ))
    })?;
    if file.permissions().mode() & OTHERS != 0 {
        let shown = path.display();
        return Err(whole(format!(
            "holds keys and can be read by other users; `chmod 600 {shown}`, and make the service its owner"
        )));
    }
    let values = read(&SCHEMA, &read_text(path)?)?;
    let (mut keys, mut mistakes) = (MeterKeys::new(), Vec::new());
    for values in values.many("meter") {
        match meter(values) {
            Err(mistake) => mistakes.push(mistake),
            Ok((id, meter)) => {
                let line = values.line("meter.usage_point");
                if keys.values().any(|other: &MeterKey| other.key == meter.key) {
                    let what =
                        "another usage point has the same key; a token would be good at both";
                    mistakes.push(Mistake::at(line, "meter", what));
                }
                if keys.insert(id, meter).is_some() {
                    let what = format!("{id} is there twice");
                    mistakes.push(Mistake::at(line, "meter.usage_point", what));
                }
            }
        }
    }
    if mistakes.is_empty() {
        Ok(keys)
    } else {
        Err(mistakes)
    }
}

fn meter(values: &Values) -> Result<(UsagePointId, MeterKey), Mistake> {
    let wrong = |key: &str, what: String| Mistake::at(values.line(key), key, what);
    let pan: Result<MeterPan, _> = values.text("meter.pan").parse();
    let meter = pan.map_err(|error| wrong("meter.pan", error.to_string()))?;
    let group = values.text("meter.supply_group");
    let supply_group = group.parse().ok().filter(|_| group.len() == 6);
    let base_date = BaseDate::from_year(values.whole("meter.base_date"));
    let terms = KeyTerms {
        supply_group: supply_group
            .ok_or_else(|| wrong("meter.supply_group", "write six digits in quotes".into()))?,
        tariff_index: values.whole("meter.tariff_index"),
        revision: values.whole("meter.key_revision"),
        key_type: KeyType::from_number(values.whole("meter.key_type")).unwrap_or(KeyType::Unique),
        base_date: base_date
            .ok_or_else(|| wrong("meter.base_date", "write 1993, 2014 or 2035".into()))?,
    };
    let key = key(values, &terms, &meter)?;
    let expiry = values.whole("meter.expiry");
    let id = UsagePointId(values.whole("meter.usage_point"));
    Ok((
        id,
        MeterKey {
            meter,
            terms,
            expiry,
            key,
        },
    ))
}

fn key(values: &Values, terms: &KeyTerms, meter: &MeterPan) -> Result<DecoderKey, Mistake> {
    let wrong = |key: &str, what: String| Mistake::at(values.line(key), key, what);
    let algorithm = algorithm(values)?;
    let secret = |key: &str| values.optional_text(key);
    match (secret("meter.decoder_key"), secret("meter.vending_key")) {
        (Some(hex), None) => DecoderKey::from_hex(&algorithm, &hex)
            .map_err(|error| wrong("meter.decoder_key", error.to_string())),
        (None, Some(hex)) => hex
            .parse::<VendingKey>()
            .and_then(|vending| vending.derive(&algorithm, terms, meter))
            .map_err(|error| wrong("meter.vending_key", error.to_string())),
        _ => {
            let what = "write decoder_key or vending_key, one of them";
            Err(Mistake::at(values.line("meter.usage_point"), "meter", what))
        }
    }
}

fn algorithm(values: &Values) -> Result<Algorithm, Mistake> {
    let at = |what: String| Mistake::at(values.line("meter.ea"), "meter.ea07_tables", what);
    match (
        values.text("meter.ea").as_str(),
        values.optional_text("meter.ea07_tables"),
    ) {
        ("07", None) => Err(at("missing; EA07 needs the site's table file".into())),
        ("07", Some(path)) => {
            let text =
                read_text(Path::new(&path)).map_err(|_| at(format!("{path} cannot be read")))?;
            let tables: Result<Ea07Tables, _> = text.parse();
            let tables = tables.map_err(|error| at(format!("{path}: {error}")))?;
            Ok(Algorithm::Ea07(tables.into()))
        }
        _ => Ok(Algorithm::Ea11),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "f94b6ed353c3bfdb113e2d3a7ea3c41d";
    const VENDING: &str = "abababababababab949494949494949401234567";

    fn meter(number: u32, key: &str) -> String {
        format!(
            "[[meter]]\nusage_point = {number}\npan = \"600727000000000009\"\n\
             supply_group = \"123456\"\ntariff_index = 1\nkey_revision = 1\n{key}\n"
        )
    }

    fn check(text: &str, mode: u32, expected: Result<usize, &str>) {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("token-keys-{}-{number}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let loaded = load(&path);
        std::fs::remove_file(&path).unwrap();
        let said = format!("{loaded:?}");
        for secret in [KEY, VENDING, "zz4b6e"] {
            assert!(!said.contains(secret), "{said}");
        }
        match expected {
            Ok(count) => assert_eq!(loaded.map(|keys| keys.len()), Ok(count), "{said}"),
            Err(words) => {
                let mistakes = loaded.expect_err(words);
                assert!(
                    mistakes.iter().any(|m| m.to_string().contains(words)),
                    "{said}"
                );
            }
        }
    }

    #[test]
    fn keys_are_read_and_mistakes_named_without_them() {
        let (decoder, vending) = (
            format!("decoder_key = \"{KEY}\""),
            format!("vending_key = \"{VENDING}\""),
        );
        let good = meter(1, &decoder) + &meter(2, &vending);
        check("", 0o600, Ok(0));
        check(&good, 0o600, Ok(2));
        check(&good, 0o640, Err("chmod 600"));
        check(&good, 0o604, Err("chmod 600"));
        check(
            &(good.clone() + &meter(2, &decoder)),
            0o600,
            Err("UP-0002 is there twice"),
        );
        check(&(good + &meter(3, &decoder)), 0o600, Err("same key"));
        check(&meter(1, ""), 0o600, Err("decoder_key or vending_key"));
        check(
            &meter(1, &format!("{decoder}\n{vending}")),
            0o600,
            Err("one of them"),
        );
        check(
            &meter(1, "decoder_key = \"zz4b6e\""),
            0o600,
            Err("line 7: meter.decoder_key"),
        );
        check(
            &meter(1, &format!("decoder_key = \"{KEY}")),
            0o600,
            Err("line 7"),
        );
        check(
            &meter(1, &format!("decoder_kye = \"{KEY}\"")),
            0o600,
            Err("did you mean"),
        );
        let other_pan = meter(1, &decoder).replace("000009", "000008");
        check(&other_pan, 0o600, Err("meter.pan"));
    }
}
