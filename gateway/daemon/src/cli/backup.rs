//! `backup` and `restore`.

use super::said::{Exit, Failure, Result, Said};
use crate::backup::lock::Lock;
use crate::backup::make::make;
use crate::backup::restore::{Plan, restore};
use crate::config::{Backup, Config};
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

/// `backup`
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The configuration file: its `[backup]`, and its directory goes into the backup
    #[arg(long, default_value = super::args::DEFAULT_CONFIG)]
    config: PathBuf,
    /// Do nothing if no place is configured, as its timer asks for
    #[arg(long)]
    if_configured: bool,
    /// Directory, or sftp://user@host/directory, instead of the configured place
    #[arg(long)]
    to: Option<String>,
    /// A public key of age, instead of those configured; repeat it for more
    #[arg(long)]
    recipient: Vec<String>,
    /// File with a passphrase, instead of the configured lock
    #[arg(long, conflicts_with = "recipient")]
    passphrase_file: Option<PathBuf>,
}

/// `restore`
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup
    file: PathBuf,
    /// File with the secret key of age
    #[arg(long)]
    identity: Option<PathBuf>,
    /// File with the passphrase
    #[arg(long, conflicts_with = "identity")]
    passphrase_file: Option<PathBuf>,
    /// Only say what it would change
    #[arg(long)]
    dry_run: bool,
    /// Data directory
    #[arg(long, default_value = crate::config::DATA_DIR)]
    data: PathBuf,
}

/// `backup`: beside the running gateway or without it.
pub fn backup(args: &BackupArgs) -> Result {
    const DOING: &str = "make a backup";
    let config = Config::load(&args.config).map_err(|mistakes| {
        let first = mistakes
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        Failure::refused(
            DOING,
            "config-unfit",
            format!("{}: {first}", args.config.display()),
        )
    })?;
    let mut settings: Backup = config.backup.clone();
    if args.if_configured && settings.to.is_none() {
        let text = "no place for backups is configured: see [backup]";
        return Ok(Said::done(text, json!({ "place": null })));
    }
    if args.to.is_some() {
        settings.to.clone_from(&args.to);
    }
    if !args.recipient.is_empty() || args.passphrase_file.is_some() {
        settings.recipients.clone_from(&args.recipient);
        settings.passphrase_file.clone_from(&args.passphrase_file);
    }
    let made = make(&config.store.data_dir, Some(&args.config), &settings)
        .map_err(|error| Failure::refused(DOING, "not-made", error))?;
    let text = format!(
        "{}: {} bytes, {} records{}",
        made.place,
        made.bytes,
        made.manifest.records,
        match made.removed {
            0 => String::new(),
            removed => format!("; {removed} older removed"),
        }
    );
    let json = json!({
        "place": made.place, "bytes": made.bytes, "records": made.manifest.records,
        "at": made.manifest.at, "site": made.manifest.site, "removed": made.removed,
    });
    Ok(Said::done(text, json))
}

/// `restore`
pub fn restored(args: &RestoreArgs) -> Result {
    const DOING: &str = "restore the backup";
    let lock = match (&args.identity, &args.passphrase_file) {
        (Some(identity), None) => Lock::Identity(identity.clone()),
        (None, Some(file)) => Lock::Passphrase(file.clone()),
        _ => {
            return Err(Failure {
                exit: Exit::Usage,
                ..Failure::refused(DOING, "no-lock", "name --identity or --passphrase-file")
            });
        }
    };
    let plan = restore(&args.file, &lock, &args.data, args.dry_run)
        .map_err(|error| Failure::refused(DOING, "not-restored", error))?;
    Ok(Said::done(words(&plan, &args.data), facts(&plan)))
}

fn words(plan: &Plan, data: &Path) -> String {
    let mut text = format!(
        "backup of {}, record {}, made by version {}: {} records verified\n",
        plan.manifest.at, plan.manifest.records, plan.manifest.version, plan.verified.records
    );
    match &plan.undone {
        Ok(Some(undone)) if undone.records.is_empty() => {
            text.push_str(
                "nothing is undone: the present database has no record that the backup lacks\n",
            );
        }
        Ok(Some(undone)) => {
            let since = undone.present.number - undone.common;
            text.push_str(&format!(
                "undone: {since} records after record {}\n",
                undone.common
            ));
            for (kind, count) in &undone.records {
                text.push_str(&format!("  {count:>8}  {kind}\n"));
            }
            text.push_str(&format!("recharges among them: {}\n", undone.recharged));
        }
        Ok(None) => {}
        Err(why) => text.push_str(&format!("what is undone is not known: {why}\n")),
    }
    match &plan.replaced {
        None if plan.config.is_none() && !crate::config::database_in(data).exists() => {}
        Some(aside) => text.push_str(&format!(
            "the present database is kept in {}\n",
            aside.display()
        )),
        None => {}
    }
    if let Some(config) = &plan.config {
        text.push_str(&format!(
            "the configuration of then is in {}; compare it with yours\n",
            config.display()
        ));
    }
    text.push_str("Energy used since is charged from the meters' registers. Recharges and tokens since then are not in it: after a start the \
                   gateway takes no money until `cloud release --note`, and no token issued before.");
    text
}

fn facts(plan: &Plan) -> serde_json::Value {
    let undone = plan.undone.as_ref().ok().and_then(Option::as_ref);
    json!({
        "at": plan.manifest.at, "records": plan.manifest.records, "site": plan.manifest.site,
        "common": undone.map(|undone| undone.common),
        "undone": undone.map(|undone| undone.records.iter().cloned().collect::<std::collections::BTreeMap<_, _>>()),
        "recharged_micro": undone.map(|undone| undone.recharged.0),
        "replaced": plan.replaced, "config": plan.config,
    })
}
