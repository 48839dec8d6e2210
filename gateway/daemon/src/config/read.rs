//! Walks a document against a [`Schema`]: values with their lines, or every mistake.
//!
//! Syntax errors too are collected: the offending line is left out and the rest read again, as long as the rest still
//! means what it says (a broken `[section]` line would move the keys below it elsewhere).

use super::mistake::{Mistake, nearest};
use super::schema::{Key, Presence, Schema, Table, Value};
use gateway_core::Micro;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use toml_edit::{Document, Item, TableLike, Value as Toml};

/// The values of a document, or of one of many tables in it, under their full keys (`web.listen`).
#[derive(Debug, Default)]
pub struct Values {
    found: BTreeMap<String, (Value, Option<usize>)>,
    many: BTreeMap<String, Vec<Values>>,
}

/// More syntax errors than this are a file of another kind.
const MOST_SYNTAX_ERRORS: usize = 20;

/// Reads a document.
///
/// # Errors
/// Every mistake, in the order of the lines.
pub fn read(schema: &'static Schema, text: &str) -> Result<Values, Vec<Mistake>> {
    let (document, rest, mut mistakes) = parse(text);
    let Some(document) = document else {
        return Err(mistakes);
    };
    let mut walk = Walk {
        schema,
        text: &rest,
        mistakes: Vec::new(),
        whole: mistakes.is_empty(),
    };
    let mut values = Values::default();
    walk.table("", document.as_table(), None, &mut values);
    walk.absent_tables(&mut values);
    mistakes.append(&mut walk.mistakes);
    mistakes.sort_by_key(|mistake| mistake.line);
    if mistakes.is_empty() {
        Ok(values)
    } else {
        Err(mistakes)
    }
}

/// The document, its text without the lines that have a syntax error, and those errors.
fn parse(text: &str) -> (Option<Document<String>>, String, Vec<Mistake>) {
    let mut rest = text.to_owned();
    let mut mistakes = Vec::new();
    loop {
        let error = match Document::parse(rest.clone()) {
            Ok(document) => return (Some(document), rest, mistakes),
            Err(error) => error,
        };
        let offset = error.span().map_or(0, |span| span.start);
        let line = line_of(&rest, offset);
        let what = error.message().trim().replace('\n', ", ");
        mistakes.push(Mistake::at(Some(line), "", format!("not TOML: {what}")));
        let start = rest[..floor(&rest, offset)]
            .rfind('\n')
            .map_or(0, |newline| newline + 1);
        let end = rest[start..]
            .find('\n')
            .map_or(rest.len(), |length| start + length);
        let broken = rest[start..end].trim();
        if broken.is_empty() || broken.starts_with('[') || mistakes.len() >= MOST_SYNTAX_ERRORS {
            return (None, rest, mistakes);
        }
        rest.replace_range(start..end, "");
    }
}

fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = &text.as_bytes()[..offset.min(text.len())];
    before.split(|byte| *byte == b'\n').count()
}

struct Walk<'a> {
    schema: &'static Schema,
    text: &'a str,
    mistakes: Vec<Mistake>,
    /// Whether no line was left out: only then is an absent key really absent.
    whole: bool,
}

impl Walk<'_> {
    /// Walks a table whose head (or, without one, first key) stands in line `head`.
    fn table(&mut self, path: &str, table: &dyn TableLike, head: Option<usize>, to: &mut Values) {
        let own = self.schema.table(path);
        let inherited = self.schema.inherited(path);
        let keys_of = |table: &'static Table| table.keys.iter();
        let keys = || own.into_iter().chain(inherited).flat_map(keys_of);
        for (name, item) in table.iter() {
            let span = table.key(name).and_then(toml_edit::Key::span);
            let line = span
                .or_else(|| item.span())
                .map(|span| line_of(self.text, span.start));
            let full = join(path, name);
            if let Some(key) = keys().find(|key| key.name == name) {
                self.value(key, &full, item, line, to);
            } else if let Some(below) = self.schema.table(&full) {
                self.below(below, item, line, to);
            } else if self.is_section(&full) {
                match item.as_table_like() {
                    Some(table) => self.table(&full, table, line, to),
                    None => self.mistake(line, &full, "this is a section, not a value"),
                }
            } else {
                self.unknown(path, name, line);
            }
        }
        // What an heir leaves out is taken from the section it inherits.
        if let Some(own) = own {
            self.absent_keys(own, head, to);
        }
    }

    /// Whether a path is a section only because others lie below it, or because an heir has it too.
    fn is_section(&self, path: &str) -> bool {
        let inside = format!("{path}.");
        let mut tables = self.schema.tables.iter();
        self.schema.inherited(path).is_some() || tables.any(|t| t.path.starts_with(&inside))
    }

    fn below(&mut self, below: &'static Table, item: &Item, line: Option<usize>, to: &mut Values) {
        if !below.many {
            match item.as_table_like() {
                Some(table) => self.table(below.path, table, line, to),
                None => {
                    let what = format!("write it as a section, [{}]", below.path);
                    self.mistake(line, below.path, what);
                }
            }
            return;
        }
        let Some(tables) = tables_of(item) else {
            let what = format!("write it with double brackets, [[{}]]", below.path);
            self.mistake(line, below.path, what);
            return;
        };
        for (table, span) in tables {
            let mut values = Values::default();
            let head = span.map(|span| line_of(self.text, span.start));
            self.table(below.path, table, head.or(line), &mut values);
            to.many.entry(below.path.into()).or_default().push(values);
        }
    }

    fn value(&mut self, key: &Key, full: &str, item: &Item, line: Option<usize>, to: &mut Values) {
        let read = match item.as_value() {
            Some(toml) => key.kind.read(toml),
            None => Err(format!(
                "this is a value, not a section; write {}",
                key.kind.words()
            )),
        };
        match read {
            Ok(value) => {
                to.found.insert(full.into(), (value, line));
            }
            Err(what) => self.mistake(line, full, what),
        }
    }

    fn unknown(&mut self, path: &str, name: &str, line: Option<usize>) {
        let here = [self.schema.table(path), self.schema.inherited(path)];
        let here = here.into_iter().flatten();
        let keys = here.flat_map(|table| table.keys).map(|key| key.name);
        let inside = |table: &&Table| join_parent(table.path) == path && !table.path.is_empty();
        let tables = self
            .schema
            .tables
            .iter()
            .filter(inside)
            .map(|table| leaf(table.path));
        let mut mistake = Mistake::at(line, &join(path, name), "no such key");
        mistake.nearest = match nearest(name, keys.chain(tables)) {
            Some(near) => Some(join(path, near)),
            None => self.elsewhere(name),
        };
        self.mistakes.push(mistake);
    }

    /// The key of that very name in another section.
    fn elsewhere(&self, name: &str) -> Option<String> {
        let holds = |table: &&Table| table.keys.iter().any(|key| key.name == name);
        let table = self.schema.tables.iter().find(holds)?;
        Some(join(table.path, name))
    }

    fn absent_tables(&mut self, values: &mut Values) {
        let single = |table: &&Table| !table.many && !table.path.is_empty();
        let required = |key: &Key| matches!(key.presence, Presence::Required);
        for table in self.schema.tables.iter().filter(single) {
            // A table with required keys may be left out altogether.
            if !table.keys.iter().any(required) {
                self.absent_keys(table, None, values);
            }
        }
    }

    fn absent_keys(&mut self, table: &Table, line: Option<usize>, values: &mut Values) {
        for key in table.keys {
            let full = join(table.path, key.name);
            if values.found.contains_key(&full) {
                continue;
            }
            match key.presence {
                Presence::Optional(_) => {}
                Presence::Required => {
                    let wrong = self
                        .mistakes
                        .iter()
                        .any(|m| m.key == full && m.line >= line);
                    if self.whole && !wrong {
                        let what = format!("missing; write {}", key.kind.words());
                        self.mistake(line, &full, what);
                    }
                }
                Presence::Default(text) => {
                    let toml = text.parse::<Toml>().map_err(|error| error.to_string());
                    match toml.and_then(|toml| key.kind.read(&toml)) {
                        Ok(value) => {
                            values.found.insert(full, (value, None));
                        }
                        Err(what) => self.mistake(None, &full, format!("wrong default: {what}")),
                    }
                }
            }
        }
    }

    fn mistake(&mut self, line: Option<usize>, key: &str, what: impl Into<String>) {
        self.mistakes.push(Mistake::at(line, key, what));
    }
}

/// A table and where it stands.
type Placed<'a> = (&'a dyn TableLike, Option<Range<usize>>);

/// The tables of `[[path]]`, or of a list of inline tables, with where they stand; `None` for anything else.
fn tables_of(item: &Item) -> Option<Vec<Placed<'_>>> {
    match item {
        Item::ArrayOfTables(tables) => {
            let table = |table| (table as &dyn TableLike, toml_edit::Table::span(table));
            Some(tables.iter().map(table).collect())
        }
        Item::Value(Toml::Array(array)) => {
            let table = |value| Toml::as_inline_table(value);
            let inline = array.iter().map(table).collect::<Option<Vec<_>>>()?;
            Some(
                inline
                    .into_iter()
                    .map(|table| (table as &dyn TableLike, table.span()))
                    .collect(),
            )
        }
        _ => None,
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.into()
    } else {
        format!("{path}.{name}")
    }
}

fn join_parent(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(parent, _)| parent)
}

fn leaf(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, leaf)| leaf)
}

impl Values {
    /// The tables `[[path]]`, in the order of the file.
    pub fn many(&self, path: &str) -> &[Values] {
        self.many.get(path).map_or(&[], Vec::as_slice)
    }

    /// These values of an inheriting table over those it inherits, under the keys of the section it inherits.
    #[must_use]
    pub fn over(&self, inherited: &Self, table: &str, section: &str) -> Self {
        let mut found = inherited.found.clone();
        for (key, value) in &self.found {
            if let Some(rest) = key.strip_prefix(table) {
                found.insert(format!("{section}{rest}"), value.clone());
            }
        }
        Self {
            found,
            many: BTreeMap::new(),
        }
    }

    /// The line a key stands in; `None` if its default holds.
    pub fn line(&self, key: &str) -> Option<usize> {
        self.found.get(key).and_then(|(_, line)| *line)
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.found.get(key).map(|(value, _)| value)
    }

    /// Text, a word or a path; empty if the key is optional and absent.
    pub fn text(&self, key: &str) -> String {
        self.optional_text(key).unwrap_or_default()
    }

    /// Text, a word or a path, if present.
    pub fn optional_text(&self, key: &str) -> Option<String> {
        match self.get(key) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }

    /// A whole number as the type that holds its range; the type's default if absent.
    pub fn whole<T: TryFrom<i64> + Default>(&self, key: &str) -> T {
        match self.get(key) {
            Some(Value::Whole(number)) => T::try_from(*number).unwrap_or_default(),
            _ => T::default(),
        }
    }

    /// An amount; zero if absent.
    pub fn amount(&self, key: &str) -> Micro {
        match self.get(key) {
            Some(Value::Amount(amount)) => *amount,
            _ => Micro::ZERO,
        }
    }

    /// An address with a port, if present.
    pub fn address(&self, key: &str) -> Option<SocketAddr> {
        match self.get(key) {
            Some(Value::Address(address)) => Some(*address),
            _ => None,
        }
    }

    /// Addresses without a port.
    pub fn hosts(&self, key: &str) -> Vec<IpAddr> {
        match self.get(key) {
            Some(Value::Hosts(hosts)) => hosts.clone(),
            _ => Vec::new(),
        }
    }

    /// A list of texts.
    pub fn texts(&self, key: &str) -> Vec<String> {
        match self.get(key) {
            Some(Value::Texts(texts)) => texts.clone(),
            _ => Vec::new(),
        }
    }

    /// Seconds ahead of UTC; zero if absent.
    pub fn offset(&self, key: &str) -> i32 {
        match self.get(key) {
            Some(Value::Offset(seconds)) => *seconds,
            _ => 0,
        }
    }
}
