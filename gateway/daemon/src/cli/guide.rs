//! What helps at a prompt: completion for a shell, manual pages.
//!
//! Both are made from the words of the command line ([`super::Cli`]), the page of the configuration file from the table of its keys.

use super::Cli;
use super::said::{Failure, Result, Said};
use crate::config::{Presence, keys::SCHEMA};
use clap::{CommandFactory as _, ValueEnum};
use clap_complete::aot;
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;

/// A shell that completes words.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Shell {
    /// GNU bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

/// Name of the program, and of its manual.
const NAME: &str = "prepaid-gateway";

/// `completion`
pub fn completion(shell: Shell) -> Said {
    let shell = match shell {
        Shell::Bash => aot::Shell::Bash,
        Shell::Zsh => aot::Shell::Zsh,
        Shell::Fish => aot::Shell::Fish,
    };
    let mut text = Vec::new();
    aot::generate(shell, &mut Cli::command(), NAME, &mut text);
    let text = String::from_utf8_lossy(&text).trim_end().to_owned();
    Said::done(text.clone(), json!({ "completion": text }))
}

/// `man`: one page for each command in section 1, one for the configuration file in section 5.
pub fn man(directory: &Path) -> Result {
    let failed = |why: std::io::Error| {
        let why = format!(
            "{}: {why}; give a directory that exists",
            directory.display()
        );
        Failure::refused("write the manual pages", "cannot-write", why)
    };
    clap_mangen::generate_to(Cli::command(), directory).map_err(failed)?;
    let page = directory.join(format!("{NAME}.toml.5"));
    std::fs::write(page, configuration_page()).map_err(failed)?;
    let text = format!("written to {}", directory.display());
    Ok(Said::done(text, json!({ "directory": directory })))
}

fn configuration_page() -> String {
    let mut page = format!(
        ".TH {NAME}.toml 5 \"\" \"{NAME} {}\"\n.SH NAME\n{NAME}.toml \\- configuration of the prepaid gateway\n\
         .SH SYNOPSIS\n/etc/{NAME}/gateway.toml\n.SH DESCRIPTION\n\
         A key that is left out has its default. An unknown key is an error. After a change: \\fB{NAME} check\\fR, then restart the service.\n",
        env!("CARGO_PKG_VERSION")
    );
    for table in SCHEMA.tables {
        let head = match table.many {
            true => format!("[[{}]]", table.path),
            false => format!("[{}]", table.path),
        };
        // Writing into a String cannot fail.
        let _ = writeln!(page, ".SH \"{}\"\n{}", head, roff(table.doc));
        for key in table.keys {
            let (name, words) = (key.name, key.kind.words());
            let value = match key.presence {
                Presence::Required => "required".to_owned(),
                Presence::Default(text) => format!("default {text}"),
                Presence::Optional(text) => format!("optional, for example {text}"),
            };
            let (words, value, doc) = (roff(&words), roff(&value), roff(key.doc));
            let _ = writeln!(page, ".TP\n\\fB{name}\\fR\n{doc}\n.br\n({words}; {value})");
        }
    }
    let _ = writeln!(page, ".SH SEE ALSO\n\\fB{NAME}\\fR(1)");
    page
}

/// Text with what a formatter would take for its own words made plain.
fn roff(text: &str) -> String {
    let plain = |line: &str| {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        match line.starts_with(['.', '\'']) {
            true => format!("\\&{line}"),
            false => line,
        }
    };
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}
