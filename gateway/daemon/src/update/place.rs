//! What is kept of updates: root's own directory, because what lies in it is installed by root. Others may read where an update stands.

use super::examine::Here;
use super::version::Version;
use super::watch::Seen;
use super::{Result, UpdateError, examine, file, installed, says};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Where packages, program and state lie.
pub const PLACE: &str = "/var/lib/prepaid-gateway-update";

/// Packs what is installed, for a version whose file nobody kept. First word: an empty directory; second: the package to make.
const REPACK: &str = r#"set -e
umask 022
chmod 755 "$1"
dpkg-query -L prepaid-gateway | while IFS= read -r file; do
  if [ -f "$file" ] || [ -L "$file" ]; then mkdir -p "$1$(dirname "$file")"; cp -a "$file" "$1$file"; fi
done
mkdir -p "$1/DEBIAN"
for file in /var/lib/dpkg/info/prepaid-gateway.*; do
  case ${file##*.} in list|md5sums) ;; *) cp -a "$file" "$1/DEBIAN/${file##*.}" ;; esac
done
dpkg-query -s prepaid-gateway | awk '/^Status:/{next} /^Conffiles:/{skip=1;next} skip&&/^ /{next} {skip=0;print}' > "$1/DEBIAN/control"
dpkg-deb -Zgzip -z1 -b "$1" "$2" >/dev/null
"#;

/// Where an update stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The new version may be half installed.
    Installing,
    /// It is installed and watched.
    Trial,
    /// The version before is being put back.
    Returning,
    /// The new version works.
    Works,
    /// The version before works again.
    Returned,
    /// Neither works: a person has to look.
    Stuck,
}

/// The last update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Where it stands.
    pub phase: Phase,
    /// The version before.
    pub from: Version,
    /// The new one.
    pub to: Version,
    /// The version `update rollback` goes to.
    pub previous: Option<Version>,
    /// The floor its letter asks for.
    pub floor: Option<Version>,
    /// Seconds a version has to prove itself.
    pub wait_s: u64,
    /// Seconds in a row it has to be well.
    pub steady_s: u64,
    /// How the gateway was before; nothing: it did not answer.
    pub before: Option<Seen>,
    /// When that was noted, UTC.
    pub at: String,
    /// What happened, in words.
    pub words: String,
}

impl Progress {
    /// Whether the machine is not yet in one of the ends.
    pub fn is_under_way(&self) -> bool {
        matches!(
            self.phase,
            Phase::Installing | Phase::Trial | Phase::Returning
        )
    }
}

/// The place of updates.
#[derive(Debug, Clone)]
pub struct Place(PathBuf);

impl Place {
    /// Where the package has it; also for those who only look.
    pub fn installed() -> Self {
        Self(PLACE.into())
    }

    /// The place, made if it is not there, for whoever writes in it.
    ///
    /// # Errors
    /// It cannot be made, or is not root's alone.
    pub fn of_root() -> Result<Self> {
        let place = Self::installed();
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&place.0);
        made.map_err(file(&place.0))?;
        let about = fs::symlink_metadata(&place.0).map_err(file(&place.0))?;
        let is_roots = about.is_dir() && about.uid() == 0 && about.mode() & 0o022 == 0;
        if is_roots {
            Ok(place)
        } else {
            Err(UpdateError::NotRoots(place.0))
        }
    }

    /// Keeps everybody else from working on an update as long as the file lives.
    ///
    /// # Errors
    /// Somebody does.
    pub fn locked(&self) -> Result<File> {
        let path = self.0.join("lock");
        let lock = File::create(&path).map_err(file(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(_) => Err(UpdateError::UnderWay),
        }
    }

    /// A version's package.
    pub fn package(&self, version: &Version) -> PathBuf {
        self.0.join(format!("{version}.deb"))
    }

    /// Where a package lies until it is known to be one.
    pub fn arrival(&self) -> PathBuf {
        self.0.join("arrival")
    }

    /// Where what apt fetched lies.
    pub fn fetched(&self) -> PathBuf {
        self.0.join("apt")
    }

    /// The program that does the work, whatever becomes of the installed one.
    pub fn program(&self) -> PathBuf {
        self.0.join(super::PACKAGE)
    }

    /// The machine, as a package sees it.
    ///
    /// # Errors
    /// The gateway is not installed as a package, or the floor cannot be read.
    pub fn here(&self) -> Result<Here> {
        Ok(Here {
            architecture: examine::architecture(),
            installed: installed()?,
            floor: self.floor()?,
        })
    }

    /// The oldest version that may be installed.
    ///
    /// # Errors
    /// There is one, and it cannot be read: nothing is installed then.
    pub fn floor(&self) -> Result<Option<Version>> {
        let path = self.0.join("floor");
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.map_err(file(&path))?,
        };
        let version = text.trim().parse();
        version.map(Some).map_err(|why: String| UpdateError::File {
            path,
            error: std::io::Error::new(ErrorKind::InvalidData, why),
        })
    }

    /// Raises the floor; never lowers it.
    ///
    /// # Errors
    /// It is not on the disk.
    pub fn raise_floor(&self, floor: &Version) -> Result<()> {
        match self.floor()? {
            Some(present) if present >= *floor => Ok(()),
            _ => written(&self.0.join("floor"), format!("{floor}\n").as_bytes()),
        }
    }

    fn under_way(&self) -> PathBuf {
        self.0.join("under-way.json")
    }

    fn last(&self) -> PathBuf {
        self.0.join("last.json")
    }

    /// Where the last update stands; nothing if there was none.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn progress(&self) -> Result<Option<Progress>> {
        for path in [self.under_way(), self.last()] {
            let text = match fs::read(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                read => read.map_err(file(&path))?,
            };
            let progress = serde_json::from_slice(&text);
            return progress
                .map(Some)
                .map_err(|error| file(&path)(error.into()));
        }
        Ok(None)
    }

    /// Notes where it stands; on the disk afterwards. The service looks for what is under way at each boot.
    ///
    /// # Errors
    /// It is not.
    pub fn note(&self, progress: &Progress) -> Result<()> {
        let text = serde_json::to_vec_pretty(progress).unwrap_or_default();
        if progress.is_under_way() {
            return written(&self.under_way(), &text);
        }
        written(&self.last(), &text)?;
        match fs::remove_file(self.under_way()) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(file(&self.under_way())(error))
            }
            _ => Ok(()),
        }
    }

    /// Removes the packages that are not needed any more.
    pub fn thin(&self, needed: &[&Version]) {
        let needed: Vec<PathBuf> = needed.iter().map(|version| self.package(version)).collect();
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_one = path.extension().is_some_and(|ending| ending == "deb");
            if is_one && !needed.contains(&path) {
                // One that stays costs its room only.
                let _ = fs::remove_file(path);
            }
        }
    }

    /// Makes sure that the installed version is at hand as a package.
    ///
    /// # Errors
    /// It is not, and cannot be packed.
    pub fn keep(&self, version: &Version) -> Result<()> {
        let package = self.package(version);
        let kept = says("dpkg-deb", &["-f", &package.to_string_lossy(), "Version"]);
        if kept.is_ok_and(|kept| kept == version.to_string()) {
            return Ok(());
        }
        let (work, part) = (self.0.join("repack"), self.0.join("repacked"));
        let _ = fs::remove_dir_all(&work);
        fs::create_dir(&work).map_err(file(&work))?;
        let (tree, made) = (work.to_string_lossy(), part.to_string_lossy());
        let packed = says("sh", &["-c", REPACK, "sh", &tree, &made]);
        let _ = fs::remove_dir_all(&work);
        packed.map_err(|error| UpdateError::NoWayBack {
            package: package.clone(),
            why: error.to_string(),
        })?;
        copied(&part, &package, 0o600)?;
        // The copy is what counts.
        let _ = fs::remove_file(&part);
        Ok(())
    }
}

/// Writes a file whole or not at all.
fn written(path: &Path, content: &[u8]) -> Result<()> {
    let part = path.with_extension("part");
    let write = || {
        let mut file = File::create(&part)?;
        file.write_all(content)?;
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
    };
    write().map_err(file(path))
}

/// Copies a file, whole and on the disk.
///
/// # Errors
/// It is not.
pub fn copied(from: &Path, to: &Path, mode: u32) -> Result<()> {
    let part = to.with_extension("part");
    let mut source = File::open(from).map_err(file(from))?;
    let mut copy = || {
        // The program may be running: its file is replaced, not written over.
        let mut target = File::create(&part)?;
        std::io::copy(&mut source, &mut target)?;
        target.set_permissions(fs::Permissions::from_mode(mode))?;
        target.sync_all()?;
        fs::rename(&part, to)?;
        File::open(to.parent().unwrap_or(Path::new("/")))?.sync_all()
    };
    copy().map_err(file(to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::tests::scratch;

    fn version(text: &str) -> Version {
        text.parse().expect("a version")
    }

    #[test]
    fn the_floor_only_rises_and_one_that_cannot_be_read_is_no_floor_of_nothing() {
        let place = Place(scratch("floor"));
        assert_eq!(place.floor().expect("read"), None);
        for (raised, now) in [("1.0-1", "1.0-1"), ("0.9-1", "1.0-1"), ("1.1-1", "1.1-1")] {
            place.raise_floor(&version(raised)).expect("written");
            assert_eq!(place.floor().expect("read"), Some(version(now)));
        }
        fs::write(place.0.join("floor"), "\0\0\0").expect("written");
        assert!(place.floor().is_err() && place.raise_floor(&version("9.0-1")).is_err());
        fs::remove_dir_all(&place.0).expect("removed");
    }

    #[test]
    fn an_update_is_under_way_until_its_end_is_on_the_disk() {
        let place = Place(scratch("progress"));
        assert_eq!(place.progress().expect("read"), None);
        let mut progress = Progress {
            phase: Phase::Trial,
            from: version("1.0-1"),
            to: version("2.0-1"),
            previous: None,
            floor: Some(version("1.5-1")),
            wait_s: 60,
            steady_s: 10,
            before: None,
            at: "2026-11-28T08:00:00Z".into(),
            words: "watched".into(),
        };
        place.note(&progress).expect("noted");
        assert_eq!(place.progress().expect("read"), Some(progress.clone()));
        assert!(place.under_way().exists());
        let was = fs::read(place.under_way()).expect("read");
        progress.phase = Phase::Works;
        place.note(&progress).expect("noted");
        assert!(!place.under_way().exists());
        assert_eq!(place.progress().expect("read"), Some(progress));
        // The power was cut between the two: it is carried to its end once more.
        fs::write(place.under_way(), was).expect("written");
        let again = place.progress().expect("read").expect("one");
        assert!(again.is_under_way());
        fs::remove_dir_all(&place.0).expect("removed");
    }

    #[test]
    fn two_do_not_work_on_an_update_at_once() {
        let place = Place(scratch("lock"));
        let held = place.locked().expect("free");
        assert_eq!(place.locked().expect_err("held").name(), "under-way");
        drop(held);
        place.locked().expect("free again");
        fs::remove_dir_all(&place.0).expect("removed");
    }

    #[test]
    fn packages_nobody_needs_any_more_go() {
        let place = Place(scratch("thin"));
        for named in ["1.0-1", "1.1-1", "1.2-1"] {
            fs::write(place.package(&version(named)), "").expect("written");
        }
        fs::write(place.0.join("floor"), "").expect("written");
        place.thin(&[&version("1.1-1"), &version("1.2-1")]);
        assert_eq!(fs::read_dir(&place.0).expect("read").count(), 3);
        assert!(!place.package(&version("1.0-1")).exists());
        fs::remove_dir_all(&place.0).expect("removed");
    }
}
