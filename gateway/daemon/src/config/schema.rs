//! What a file that people write may say: tables, keys, kinds, ranges, defaults and their documentation.
//!
//! Decided here: whether one value is of its kind and in its range. Not decided here: which keys exist
//! ([`super::keys`], [`crate::tariffs`]) and how a document is walked ([`super::read`]).
//!
//! Terms: a *schema* is a list of *tables*; a table is `[name]`, or `[[name]]` if there may be *many*; a *key* has a *kind*.

use gateway_core::Micro;
use gateway_core::calendar::Month;
use gateway_core::tariff::TimeOfDay;
use std::net::{IpAddr, SocketAddr};
use toml_edit::Value as Toml;

/// Everything a file may say.
#[derive(Debug)]
pub struct Schema {
    /// The tables; the root has the empty path.
    pub tables: &'static [Table],
}

/// One table.
#[derive(Debug)]
pub struct Table {
    /// Its path, for example `field.client`.
    pub path: &'static str,
    /// Whether it is written `[[path]]`, any number of times.
    pub many: bool,
    /// What it is about, for people.
    pub doc: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
    /// The section whose keys, and those of the sections below it, may stand here too; what is absent is taken from there.
    pub inherits: Option<&'static str>,
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// Its name inside the table.
    pub name: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// What happens when it is absent.
    pub presence: Presence,
    /// What it means, for people.
    pub doc: &'static str,
}

/// What happens when a key is absent.
#[derive(Debug, Clone, Copy)]
pub enum Presence {
    /// A mistake.
    Required,
    /// This value, written as in the file.
    Default(&'static str),
    /// Nothing; the text is an example.
    Optional(&'static str),
}

/// What a key may hold.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Text of 1 to `max` characters, without control characters.
    Text {
        /// Most characters.
        max: usize,
    },
    /// A whole number.
    Whole {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// An amount of money (or a percentage) in quotes.
    Amount {
        /// Smallest.
        min: Micro,
        /// Largest.
        max: Micro,
    },
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Any of these words, each once, in brackets.
    SomeOf(&'static [&'static str]),
    /// An address with a port, for example `0.0.0.0:1883`.
    Address,
    /// A list of addresses without a port.
    Hosts,
    /// A list of texts.
    Texts,
    /// The path of a file or directory.
    Path,
    /// Hours and minutes ahead of UTC, for example `+05:30`.
    Offset,
    /// A day, for example `2026-04-01`.
    Day,
    /// A month, for example `2026-04`.
    Month,
    /// A time of day, for example `09:00`, at most `24:00`.
    Time,
    /// A list of whole numbers.
    Wholes {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// A list of amounts in quotes.
    Amounts {
        /// Smallest.
        min: Micro,
        /// Largest.
        max: Micro,
    },
}

/// A value that is of its kind and in its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text, a word, a path or a day.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// An amount.
    Amount(Micro),
    /// An address with a port.
    Address(SocketAddr),
    /// Addresses without a port.
    Hosts(Vec<IpAddr>),
    /// Texts or words.
    Texts(Vec<String>),
    /// Seconds ahead of UTC.
    Offset(i32),
}

/// Longest list in a file: far more than any site needs.
const LONGEST_LIST: usize = 256;
/// Longest path, Linux `PATH_MAX`.
const LONGEST_PATH: usize = 4096;

impl Schema {
    /// The table of that path, as it stands in the schema.
    pub fn table(&self, path: &str) -> Option<&'static Table> {
        self.tables.iter().find(|table| table.path == path)
    }

    /// The section that a path inside an inheriting table stands for: `prepay.emergency` for `prepay.class.emergency`.
    pub fn inherited(&self, path: &str) -> Option<&'static Table> {
        let heir = |table: &&Table| path == table.path || is_below(path, table.path);
        let heir = self
            .tables
            .iter()
            .filter(|t| t.inherits.is_some())
            .find(heir)?;
        let original = format!("{}{}", heir.inherits?, &path[heir.path.len()..]);
        self.table(&original).filter(|table| !table.many)
    }
}

/// Whether a path lies inside a table.
fn is_below(path: &str, table: &str) -> bool {
    path.strip_prefix(table)
        .is_some_and(|rest| rest.starts_with('.'))
}

impl Kind {
    /// The kind and range in words.
    pub fn words(&self) -> String {
        match self {
            Self::Text { max } => format!("a text of 1 to {max} characters"),
            Self::Whole { min, max } => format!("a whole number from {min} to {max}"),
            Self::Amount { min, max } => format!("an amount in quotes from \"{min}\" to \"{max}\""),
            Self::OneOf(words) => format!("one of {}", quoted(words)),
            Self::SomeOf(words) => format!("a list of {}", quoted(words)),
            Self::Address => "an address with port, for example \"0.0.0.0:1883\"".into(),
            Self::Hosts => "a list of addresses, for example [\"192.168.1.10\"]".into(),
            Self::Texts => format!("a list of texts, at most {LONGEST_LIST}"),
            Self::Path => "a path".into(),
            Self::Offset => "hours and minutes from \"-12:00\" to \"+14:00\"".into(),
            Self::Day => "a day, for example \"2026-04-01\"".into(),
            Self::Month => "a month, for example \"2026-04\"".into(),
            Self::Time => "a time of day from \"00:00\" to \"24:00\"".into(),
            Self::Wholes { min, max } => {
                format!("a list of whole numbers from {min} to {max}")
            }
            Self::Amounts { min, max } => {
                format!("a list of amounts in quotes from \"{min}\" to \"{max}\"")
            }
        }
    }

    /// Reads a value of this kind.
    ///
    /// # Errors
    /// What is wrong and what to write instead.
    pub fn read(&self, toml: &Toml) -> Result<Value, String> {
        match self {
            Self::Whole { min, max } => match toml.as_integer() {
                Some(number) if (*min..=*max).contains(&number) => Ok(Value::Whole(number)),
                Some(number) => Err(format!("{number} is out of range; write {}", self.words())),
                None => Err(self.instead_of(toml)),
            },
            Self::SomeOf(_) | Self::Hosts | Self::Texts => self.read_list(toml),
            Self::Wholes { .. } | Self::Amounts { .. } => self.read_numbers(toml),
            _ => match toml.as_str() {
                Some(text) => self.read_text(text),
                None => Err(self.instead_of(toml)),
            },
        }
    }

    fn instead_of(&self, toml: &Toml) -> String {
        format!(
            "this is of type {}; write {}",
            toml.type_name(),
            self.words()
        )
    }

    fn read_text(&self, text: &str) -> Result<Value, String> {
        let wrong = |why: &str| Err(format!("\"{}\" {why}; write {}", shown(text), self.words()));
        let usable = |max: usize| {
            !text.trim().is_empty()
                && text.chars().count() <= max
                && !text.chars().any(char::is_control)
        };
        match self {
            Self::Text { max } if usable(*max) => Ok(Value::Text(text.into())),
            Self::Text { .. } => wrong("is empty, too long or has control characters"),
            Self::Path if usable(LONGEST_PATH) => Ok(Value::Text(text.into())),
            Self::Path => wrong("is empty, too long or has control characters"),
            Self::OneOf(words) if words.contains(&text) => Ok(Value::Text(text.into())),
            Self::OneOf(words) => {
                let hint = super::mistake::nearest(text, words.iter().copied());
                let hint = hint.map_or(String::new(), |word| format!(" (\"{word}\"?)"));
                wrong(&format!("is not known{hint}"))
            }
            Self::Amount { min, max } => match text.parse::<Micro>() {
                Ok(amount) if (*min..=*max).contains(&amount) => Ok(Value::Amount(amount)),
                Ok(_) => wrong("is out of range"),
                Err(why) => wrong(&format!("is wrong ({why})")),
            },
            Self::Address => match text.parse() {
                Ok(address) => Ok(Value::Address(address)),
                Err(_) => wrong("is not an address with a port"),
            },
            Self::Offset => match offset(text) {
                Some(seconds) => Ok(Value::Offset(seconds)),
                None => wrong("is not an offset to UTC"),
            },
            Self::Day if is_day(text) => Ok(Value::Text(text.into())),
            Self::Day => wrong("is not a day"),
            Self::Month if text.parse::<Month>().is_ok() => Ok(Value::Text(text.into())),
            Self::Month => wrong("is not a month"),
            Self::Time if text.parse::<TimeOfDay>().is_ok() => Ok(Value::Text(text.into())),
            Self::Time => wrong("is not a time of day"),
            _ => wrong("is a text"),
        }
    }

    /// A list whose items are each of a kind; the file's text is read again for their values.
    fn read_numbers(&self, toml: &Toml) -> Result<Value, String> {
        let item = match self {
            Self::Wholes { min, max } => Self::Whole {
                min: *min,
                max: *max,
            },
            Self::Amounts { min, max } => Self::Amount {
                min: *min,
                max: *max,
            },
            _ => return Err(self.instead_of(toml)),
        };
        let Some(array) = toml.as_array().filter(|array| array.len() <= LONGEST_LIST) else {
            return Err(self.instead_of(toml));
        };
        let mut texts = Vec::with_capacity(array.len());
        for value in array {
            texts.push(match item.read(value)? {
                Value::Whole(number) => number.to_string(),
                Value::Amount(amount) => amount.to_string(),
                _ => return Err(self.instead_of(toml)),
            });
        }
        Ok(Value::Texts(texts))
    }

    fn read_list(&self, toml: &Toml) -> Result<Value, String> {
        let texts = toml.as_array().and_then(|array| {
            let texts = array.iter().map(|item| item.as_str().map(String::from));
            texts.collect::<Option<Vec<_>>>()
        });
        let Some(texts) = texts.filter(|texts| texts.len() <= LONGEST_LIST) else {
            return Err(self.instead_of(toml));
        };
        let wrong = |text: &str| {
            let text = shown(text);
            Err(format!(
                "\"{text}\" does not belong here; write {}",
                self.words()
            ))
        };
        match self {
            Self::SomeOf(words) => {
                let twice = |i: usize| texts[..i].contains(&texts[i]);
                match (0..texts.len()).find(|&i| !words.contains(&texts[i].as_str()) || twice(i)) {
                    Some(i) => wrong(&texts[i]),
                    None => Ok(Value::Texts(texts)),
                }
            }
            Self::Hosts => {
                let mut hosts = Vec::with_capacity(texts.len());
                for text in &texts {
                    match text.parse() {
                        Ok(host) => hosts.push(host),
                        Err(_) => return wrong(text),
                    }
                }
                Ok(Value::Hosts(hosts))
            }
            _ => Ok(Value::Texts(texts)),
        }
    }
}

fn quoted(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    words.join(", ")
}

/// The beginning of a text, for messages, without control characters.
fn shown(text: &str) -> String {
    const ENOUGH: usize = 40;
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut short: String = text.chars().take(ENOUGH).map(plain).collect();
    if text.chars().nth(ENOUGH).is_some() {
        short.push('…');
    }
    short
}

/// Seconds ahead of UTC of `+05:30`; `None` outside −12:00 to +14:00, where no place on earth is.
fn offset(text: &str) -> Option<i32> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !two_digits(hours) || !two_digits(minutes) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let seconds = sign * (hours * 3_600 + minutes * 60);
    (minutes < 60 && (-12 * 3_600..=14 * 3_600).contains(&seconds)).then_some(seconds)
}

/// Whether the text is a day of the calendar, `YYYY-MM-DD`.
fn is_day(text: &str) -> bool {
    let part = |range| {
        text.get(range)
            .and_then(|part: &str| part.parse::<u16>().ok())
    };
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(i, b)| match i {
            4 | 7 => b == b'-',
            _ => b.is_ascii_digit(),
        });
    let (Some(year), Some(month), Some(day)) = (part(0..4), part(5..7), part(8..10)) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u16::from(leap),
        _ => 0,
    };
    shape && (1..=days).contains(&day)
}
