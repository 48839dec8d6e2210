//! Making a backup.

use super::far::{self, Far};
use super::last;
use super::lock::{self, Lock};
use super::{BackupError, Manifest, Result, scratch};
use crate::clock::{Clock, Trust};
use crate::config::{Backup, cloud_memory_in, database_in};
use gateway_store::{Reader, backup};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Largest file of the configuration that is taken along.
const LARGEST_FILE: u64 = 4 << 20;
/// How deep its directories go.
const DEEPEST: usize = 3;
/// A secret that is on paper or has been changed since.
const LEFT_OUT: &[&str] = &["first-password"];

/// A backup that was made.
#[derive(Debug)]
pub struct Made {
    /// Where.
    pub place: String,
    /// What it says of itself.
    pub manifest: Manifest,
    /// Bytes.
    pub bytes: u64,
    /// Older ones that were removed.
    pub removed: usize,
}

/// Where a backup goes.
enum Place {
    Here(PathBuf),
    Far(Far),
}

impl Place {
    fn read(to: &str, data: &Path) -> Result<Self> {
        if to.starts_with(far::SCHEME) {
            return Far::read(to, data).map(Self::Far);
        }
        let directory = PathBuf::from(to);
        fit(&directory)?;
        Ok(Self::Here(directory))
    }
}

/// What a backup is made with.
pub fn lock_of(settings: &Backup) -> Result<Lock> {
    match (&settings.passphrase_file, settings.recipients.is_empty()) {
        (Some(file), true) => Ok(Lock::Passphrase(file.clone())),
        (None, false) => Ok(Lock::Recipients(settings.recipients.clone())),
        _ => Err(BackupError::Unfit(
            "a backup holds keys: name recipients or a passphrase file, one of them".into(),
        )),
    }
}

/// Makes a backup of a data directory and a configuration, beside the running gateway or without it.
///
/// # Errors
/// Something cannot be read, written or sent; nothing half-made stays behind under a backup's name.
pub fn make(data: &Path, config: Option<&Path>, settings: &Backup) -> Result<Made> {
    let lock = lock_of(settings)?;
    let to = settings.to.as_deref();
    let to =
        to.ok_or_else(|| BackupError::Unfit("no place is named; see [backup] or --to".into()))?;
    let target = Place::read(to, data)?;
    let work = scratch(data, "backup-in-progress")?;
    let made = gathered(data, config, &work).and_then(|manifest| {
        let home = scratch(&work, "home")?;
        let name = format!(
            "prepaid-gateway-{}-{}.{}",
            &manifest.site[..8],
            manifest.at.replace(['-', ':'], ""),
            lock.ending()
        );
        let part = match &target {
            Place::Here(directory) => directory.join(format!(".{name}.part")),
            Place::Far(_) => work.join(&name),
        };
        let packed = lock::pack(&work.join("content"), &lock, &home, &part)
            .and_then(|()| delivered(&part, &target, to, &name));
        if packed.is_err() {
            // It is no backup.
            let _ = fs::remove_file(&part);
        }
        let (place, bytes) = packed?;
        last::made(data, &place, bytes)?;
        let removed = match &target {
            Place::Here(directory) => thin(directory, &manifest.site, settings.keep),
            Place::Far(_) => Ok(0),
        };
        Ok(Made {
            place,
            manifest,
            bytes,
            removed: removed?,
        })
    });
    // The unencrypted copy goes whatever came of it; a failure is found by the next backup.
    let _ = fs::remove_dir_all(&work);
    made
}

/// Refuses a directory below /media or /mnt on which nothing is mounted: the stick is missing.
fn fit(directory: &Path) -> Result<()> {
    let about = fs::metadata(directory).map_err(BackupError::file(directory))?;
    if !about.is_dir() {
        return Err(BackupError::Unfit(format!(
            "{} is no directory",
            directory.display()
        )));
    }
    let root = fs::metadata("/").map_err(BackupError::file(Path::new("/")))?;
    let removable = ["/media", "/mnt"]
        .iter()
        .any(|base| directory.starts_with(base));
    if removable && about.dev() == root.dev() {
        let what = format!(
            "nothing is mounted at {}: is the stick in?",
            directory.display()
        );
        return Err(BackupError::Unfit(what));
    }
    Ok(())
}

fn gathered(data: &Path, config: Option<&Path>, work: &Path) -> Result<Manifest> {
    let content = scratch(work, "content")?;
    let database = database_in(data);
    let head = backup::snapshot(&database, &content.join("gateway.db"))?;
    let site = Reader::open(&database)?.site_id()?;
    let memory = cloud_memory_in(data);
    if memory.exists() {
        copy(&memory, &content.join("cloud.json"))?;
    }
    if let Some(directory) = config.and_then(Path::parent) {
        let to = scratch(&content, "config")?;
        copy_all(directory, &to, DEEPEST)?;
    }
    let manifest = Manifest {
        format: 1,
        version: env!("CARGO_PKG_VERSION").into(),
        site: site.iter().map(|byte| format!("{byte:02x}")).collect(),
        at: now(),
        records: head.number,
    };
    let path = content.join("manifest.json");
    let text = serde_json::to_vec_pretty(&manifest).map_err(io::Error::from);
    text.and_then(|text| fs::write(&path, text))
        .map_err(BackupError::file(&path))?;
    Ok(manifest)
}

/// RFC 3339, to the second.
pub fn now() -> String {
    let at = Clock::new(Trust::Always).now().at.0;
    jiff::Timestamp::from_second(at).map_or_else(|_| at.to_string(), |at| at.to_string())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map_err(BackupError::file(from))?;
    Ok(())
}

/// Copies plain files; links, sockets and what is too large stay, as does what needs a person to be read.
fn copy_all(from: &Path, to: &Path, deep: usize) -> Result<()> {
    for entry in fs::read_dir(from).map_err(BackupError::file(from))? {
        let entry = entry.map_err(BackupError::file(from))?;
        let (path, name) = (entry.path(), entry.file_name());
        let about = entry.metadata().map_err(BackupError::file(&path))?;
        let left_out = LEFT_OUT.iter().any(|left| name == **left);
        if about.is_dir() && deep > 0 {
            let below = scratch(to, &name.to_string_lossy())?;
            copy_all(&path, &below, deep - 1)?;
        } else if about.is_file() && about.len() <= LARGEST_FILE && !left_out {
            copy(&path, &to.join(&name))?;
        }
    }
    Ok(())
}

/// Gives the packed file its name, or sends it: where it is now, and its bytes.
fn delivered(part: &Path, place: &Place, to: &str, name: &str) -> Result<(String, u64)> {
    let bytes = fs::metadata(part).map_err(BackupError::file(part))?.len();
    let directory = match place {
        Place::Far(far) => {
            // The same for every backup of a site: at most one that was cut off lies there.
            let site = name.rsplit_once('-').map_or(name, |(site, _)| site);
            far.send(part, &format!("{site}.part"), name)?;
            return Ok((format!("{}/{name}", to.trim_end_matches('/')), bytes));
        }
        Place::Here(directory) => directory,
    };
    let place = directory.join(name);
    fs::rename(part, &place).map_err(BackupError::file(&place))?;
    let opened = fs::File::open(directory).and_then(|directory| directory.sync_all());
    opened.map_err(BackupError::file(directory))?;
    Ok((place.display().to_string(), bytes))
}

/// Removes the oldest backups of a site beyond those kept. The names sort by time.
fn thin(directory: &Path, site: &str, keep: usize) -> Result<usize> {
    let begin = format!("prepaid-gateway-{}-", &site[..8]);
    let entries = fs::read_dir(directory).map_err(BackupError::file(directory))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_ours = |name: &String| {
        name.starts_with(&begin) && (name.ends_with(".tar.gz.age") || name.ends_with(".tar.gz.gpg"))
    };
    let mut ours: Vec<String> = names.filter(is_ours).collect();
    ours.sort_unstable_by(|one, other| other.cmp(one));
    let old = ours.split_off(ours.len().min(keep));
    for name in &old {
        let path = directory.join(name);
        fs::remove_file(&path).map_err(BackupError::file(&path))?;
    }
    Ok(old.len())
}
