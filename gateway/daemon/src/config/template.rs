//! The default configuration file, generated from the table of keys: every key with its meaning, range and default.

use super::keys::SCHEMA;
use super::schema::{Key, Presence, Table};
use std::fmt::Write as _;

const HEAD: &str = "\
# Configuration of the prepaid gateway.
#
# A key that is left out has its default, shown after '#'. An unknown key is an error.
# After a change: prepaid-gateway check --config FILE, then restart the service.
";

/// The whole file. Every key is commented out, so it means the same as an empty file.
pub fn template() -> String {
    let mut text = String::from(HEAD);
    for table in SCHEMA.tables {
        // Writing into a String cannot fail.
        let _ = write_table(&mut text, table);
    }
    text
}

fn write_table(text: &mut String, table: &Table) -> std::fmt::Result {
    writeln!(text)?;
    comment(text, table.doc)?;
    match table.many {
        // Commented out: an example is not a login.
        true => writeln!(text, "#[[{}]]", table.path)?,
        false => writeln!(text, "[{}]", table.path)?,
    }
    for key in table.keys {
        writeln!(text)?;
        comment(text, key.doc)?;
        writeln!(text, "# {}", range(key))?;
        writeln!(text, "#{} = {}", key.name, example(key))?;
    }
    Ok(())
}

fn comment(text: &mut String, doc: &str) -> std::fmt::Result {
    doc.lines().try_for_each(|line| writeln!(text, "# {line}"))
}

fn range(key: &Key) -> String {
    let words = key.kind.words();
    match key.presence {
        Presence::Required => format!("({words}; required)"),
        Presence::Default(_) => format!("({words})"),
        Presence::Optional(_) => format!("({words}; optional)"),
    }
}

fn example(key: &Key) -> &'static str {
    match key.presence {
        Presence::Required => "\"…\"",
        Presence::Default(text) | Presence::Optional(text) => text,
    }
}
