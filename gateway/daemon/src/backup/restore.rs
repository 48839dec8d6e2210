//! Putting a backup in the place of the present database.

use super::lock::{self, Lock};
use super::{BackupError, Manifest, Result, note_in, now, scratch};
use crate::config::{cloud_memory_in, database_in};
use gateway_store::backup::{Undone, undone};
use gateway_store::{Report, Store, StoreError, verify};
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};

/// What a restore means.
#[derive(Debug)]
pub struct Plan {
    /// What the backup says of itself.
    pub manifest: Manifest,
    /// Whether its database is what its journal says.
    pub verified: Report,
    /// What the present database knows and the backup does not; or why that cannot be said.
    pub undone: std::result::Result<Option<Undone>, String>,
    /// Where the present database has been put, if it was replaced.
    pub replaced: Option<PathBuf>,
    /// Where the backup's configuration is, if it was restored.
    pub config: Option<PathBuf>,
}

/// Opens a backup, checks it, compares it, and unless it is a rehearsal puts it in place.
///
/// # Errors
/// It cannot be opened, is damaged or of another site than the present database; the gateway is running; the disk fails. The present database stays
/// as it is then.
pub fn restore(file: &Path, lock: &Lock, data: &Path, rehearsal: bool) -> Result<Plan> {
    if !data.is_dir() {
        fs::create_dir_all(data).map_err(BackupError::file(data))?;
    }
    let work = scratch(data, "restore-in-progress")?;
    let planned = planned(file, lock, data, &work);
    let done = planned.and_then(|plan| match rehearsal {
        true => Ok(plan),
        false => in_place(plan, file, data, &work),
    });
    // The unencrypted copy goes whatever came of it.
    let _ = fs::remove_dir_all(&work);
    done
}

fn planned(file: &Path, lock: &Lock, data: &Path, work: &Path) -> Result<Plan> {
    let (home, content) = (scratch(work, "home")?, scratch(work, "content")?);
    lock::unpack(file, lock, &home, &content)?;
    let path = content.join("manifest.json");
    let text = fs::read(&path).map_err(BackupError::file(&path))?;
    let malformed = |error: serde_json::Error| {
        BackupError::Unfit(format!("this is no backup of a gateway: {error}"))
    };
    let manifest: Manifest = serde_json::from_slice(&text).map_err(malformed)?;
    if manifest.format != 1 {
        let what = format!(
            "the backup has format {}; install version {}, or a later one",
            manifest.format, manifest.version
        );
        return Err(BackupError::Unfit(what));
    }
    let database = content.join("gateway.db");
    // Brings one of an earlier version up to date.
    drop(Store::open(&database)?);
    let verified = verify(&database)?;
    if let Some(finding) = verified.findings.first() {
        return Err(BackupError::Unfit(format!(
            "the backup is damaged ({finding}); take another one"
        )));
    }
    let undone = match undone(&database, &database_in(data)) {
        Err(StoreError::Missing { .. }) => Err("there is no database yet".to_owned()),
        compared => compared.map_err(|error| error.to_string()),
    };
    if undone == Ok(None) {
        return Err(BackupError::Unfit(format!(
            "the backup is of another site than the database in {}; name another --data, or move that database away",
            data.display()
        )));
    }
    Ok(Plan {
        manifest,
        verified,
        undone,
        replaced: None,
        config: None,
    })
}

fn in_place(mut plan: Plan, file: &Path, data: &Path, work: &Path) -> Result<Plan> {
    let database = database_in(data);
    let stamp = now().replace(['-', ':'], "");
    if database.exists() {
        // Whoever holds it keeps it: a running gateway, or another restore.
        if let Err(error @ StoreError::InUse { .. }) = Store::open(&database) {
            return Err(error.into());
        }
        let aside = data.join(format!("replaced-{stamp}"));
        fs::create_dir(&aside).map_err(BackupError::file(&aside))?;
        // It stays in place under its name until the other takes that over: at no moment is there none. Opening it has emptied its log;
        // a log that is left is of a damaged one, and must not be read with another file.
        let kept = aside.join("gateway.db");
        fs::hard_link(&database, &kept).map_err(BackupError::file(&kept))?;
        for name in ["gateway.db-wal", "gateway.db-shm"] {
            moved(&data.join(name), &aside.join(name))?;
        }
        // The safe copy is one of the database that goes.
        moved(&data.join("safe"), &aside.join("safe"))?;
        plan.replaced = Some(aside);
    } else {
        let stray = data.join("safe");
        if stray.exists() {
            moved(&stray, &data.join(format!("replaced-safe-{stamp}")))?;
        }
    }
    // First the word that it is a restored one: without it the database must not be started.
    let note = note_in(data);
    let evidence = format!(
        "the backup of {} (record {}, {}) was restored at {}",
        plan.manifest.at,
        plan.manifest.records,
        file.file_name().unwrap_or_default().to_string_lossy(),
        now()
    );
    fs::write(&note, evidence).map_err(BackupError::file(&note))?;
    on_disk(&note)?;
    let content = work.join("content");
    moved(&content.join("cloud.json"), &cloud_memory_in(data))?;
    if content.join("config").is_dir() {
        let config = data.join(format!("restored-config-{stamp}"));
        moved(&content.join("config"), &config)?;
        plan.config = Some(config);
    }
    // A power cut after the renaming must find all of it.
    on_disk(&content.join("gateway.db"))?;
    moved(&content.join("gateway.db"), &database)?;
    belongs_like(data, &[&database, &note, &cloud_memory_in(data)])?;
    let directory = fs::File::open(data).and_then(|directory| directory.sync_all());
    directory.map_err(BackupError::file(data))?;
    Ok(plan)
}

/// Waits until a file's content is on the disk.
fn on_disk(path: &Path) -> Result<()> {
    let file = fs::File::open(path).and_then(|file| file.sync_all());
    file.map_err(BackupError::file(path))
}

/// Moves a file that may be absent.
fn moved(from: &Path, to: &Path) -> Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BackupError::file(to)(error)),
        _ => Ok(()),
    }
}

/// Gives files to the owner of the directory: the service's user, when root restores.
fn belongs_like(data: &Path, files: &[&Path]) -> Result<()> {
    let owner = fs::metadata(data).map_err(BackupError::file(data))?;
    for file in files.iter().filter(|file| file.exists()) {
        chown(file, Some(owner.uid()), Some(owner.gid())).map_err(BackupError::file(file))?;
    }
    Ok(())
}
