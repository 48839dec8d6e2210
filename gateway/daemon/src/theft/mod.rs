//! `theft`: what the watch over a feeder says about recorded readings.
//!
//! Decided here: the command line alone. The statistics are [`gateway_core::loss`], the same the
//! daemon runs. A recorded answer, if one lies in the folder, is never opened.

mod replay;
mod scenario;

use clap::Subcommand;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What can be asked about loss and theft.
#[derive(Debug, Subcommand)]
pub enum TheftCommand {
    /// Run the loss detector over recorded readings, in order of time, without looking ahead
    ///
    /// DIR holds feeder.csv.gz, meters.csv.gz and meters_info.csv.gz, and if there are any
    /// volts.csv.gz and unmetered.json; or it holds such folders, which are run side by side.
    Replay {
        /// A recorded feeder, or a folder of them
        dir: PathBuf,
        /// Write the findings to this file as JSON lines
        #[arg(long)]
        out: Option<PathBuf>,
        /// Write and print as JSON also what is no alarm: a loss that is over, meters and papers that are wrong
        #[arg(long)]
        all: bool,
    },
}

/// Why a replay gave nothing.
#[derive(Debug, thiserror::Error)]
enum NoReplay {
    #[error("failed to list {}: {cause}", .0.display(), cause = .1)]
    NotListed(PathBuf, std::io::Error),
    #[error("failed to find a recorded feeder in {}: no meters.csv.gz there or one level below", .0.display())]
    NothingThere(PathBuf),
    #[error(transparent)]
    BadScenario(#[from] scenario::BadScenario),
    #[error("failed to write the findings: {0}")]
    NotWritten(#[from] std::io::Error),
    #[error("failed to write a finding as JSON: {0}")]
    NotJson(#[from] serde_json::Error),
}

/// Does what was asked. Findings go to standard output, as words or as JSON lines; mistakes to
/// standard error.
#[must_use]
pub fn run(command: &TheftCommand, json: bool) -> ExitCode {
    let TheftCommand::Replay { dir, out, all } = command;
    match replay(dir, out.as_deref(), json, *all) {
        Ok(()) => ExitCode::SUCCESS,
        Err(mistake) => {
            eprintln!("{mistake}");
            ExitCode::FAILURE
        }
    }
}

fn replay(dir: &Path, out: Option<&Path>, json: bool, all: bool) -> Result<(), NoReplay> {
    let folders =
        replay::scenarios(dir).map_err(|cause| NoReplay::NotListed(dir.to_owned(), cause))?;
    if folders.is_empty() {
        return Err(NoReplay::NothingThere(dir.to_owned()));
    }
    let lines = replay::many(&folders)?;
    let mut text = Vec::new();
    for line in lines.iter().filter(|line| all || line.is_alarm) {
        serde_json::to_writer(&mut text, line)?;
        text.push(b'\n');
    }
    if let Some(out) = out {
        std::fs::write(out, &text)?;
    }
    let mut screen = std::io::stdout().lock();
    if json {
        screen.write_all(&text)?;
    } else {
        for line in &lines {
            writeln!(screen, "{line}")?;
        }
        writeln!(
            screen,
            "{} findings in {} recordings",
            lines.len(),
            folders.len()
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
