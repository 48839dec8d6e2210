//! Where log records go: to the journal with structured fields under systemd, to standard error otherwise.
//!
//! Decided here: the destination and which records are too unimportant. Not decided here: what is logged. Key-value pairs
//! of a record become fields of the journal (`journalctl NODE=N-00000007`).

use log::{LevelFilter, Log, Metadata, Record};
use systemd_journal_logger::{JournalLog, connected_to_journal};

/// Targets that talk about their own workings: only their warnings matter to an operator.
const CHATTY: &[&str] = &["rumqttd", "hyper", "tower", "rustls"];

/// Sets the process's logger. Call once, before threads are started.
///
/// If the journal cannot be reached, standard error is used: systemd keeps that too.
///
/// # Errors
/// A logger was set before.
pub fn start(level: LevelFilter) -> Result<(), log::SetLoggerError> {
    quieten_tracing();
    let journal = connected_to_journal()
        .then(JournalLog::new)
        .and_then(Result::ok);
    let logger: Box<dyn Log> = match journal {
        Some(journal) => Box::new(journal.with_syslog_identifier("prepaid-gateway".into())),
        None => Box::new(
            env_logger::Builder::new()
                .filter_level(LevelFilter::Trace)
                .build(),
        ),
    };
    log::set_boxed_logger(Box::new(Filtered { logger, level }))?;
    log::set_max_level(level);
    Ok(())
}

/// Gives `tracing` a subscriber that hears nothing.
///
/// Without any subscriber `tracing` hands its spans to `log`: three records of level error per message that rumqttd routes.
fn quieten_tracing() {
    let nobody = tracing::subscriber::NoSubscriber::default();
    // Fails only if somebody set one already, which quietens it as well.
    let _ = tracing::subscriber::set_global_default(nobody);
}

/// The journal's own logger takes every record, so the level is held here.
struct Filtered {
    logger: Box<dyn Log>,
    level: LevelFilter,
}

impl Log for Filtered {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= level_for(metadata.target(), self.level)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.logger.log(record);
        }
    }

    fn flush(&self) {
        self.logger.flush();
    }
}

/// The least important level that is logged for a target.
fn level_for(target: &str, level: LevelFilter) -> LevelFilter {
    let root = target.split("::").next().unwrap_or(target);
    if CHATTY.contains(&root) && level < LevelFilter::Trace {
        level.min(LevelFilter::Warn)
    } else {
        level
    }
}

#[cfg(test)]
mod tests {
    use super::level_for;
    use log::LevelFilter::{Debug, Error, Info, Trace, Warn};

    #[test]
    fn libraries_are_quieter_than_the_gateway() {
        for (target, configured, expected) in [
            ("gateway_field::session", Info, Info),
            ("rumqttd::router", Info, Warn),
            ("rumqttd", Debug, Warn),
            ("rumqttd", Error, Error),
            ("rumqttd", Trace, Trace),
            ("rumqttdx", Info, Info),
        ] {
            assert_eq!(
                level_for(target, configured),
                expected,
                "{target} at {configured}"
            );
        }
    }
}
