//! Carrying an update out: install, watch, keep or go back.
//!
//! Preparing is the work of the command that was typed; the rest that of `prepaid-gateway-update.service`, which runs the copied program: beside
//! that command, and at each boot that finds an update under way. Each step can be begun again after a power cut.

use super::examine::Fit;
use super::keys::Key;
use super::place::{self, Phase, Place, Progress};
use super::version::Version;
use super::watch::{self, Patience, SERVICE};
use super::{Result, UpdateError, examine, file, installed, packaged, says};
use crate::backup::now;
use crate::config::{Config, DATA_DIR};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The unit that does the work.
const UNIT: &str = "prepaid-gateway-update.service";
/// Writes its input into a file, whole or not at all. First word: the file.
const WRITE: &str = r#"set -e; umask 077; cat >"$1.part"; sync "$1.part"; mv "$1.part" "$1""#;

/// Makes everything ready for an update, without changing what is installed. Nothing is noted if it is a `rehearsal`.
///
/// # Errors
/// The package may not be installed here, or the present one cannot be kept.
pub fn prepare(
    package: &Path,
    keys: &[Key],
    patience: Patience,
    rehearsal: bool,
) -> Result<(Fit, Progress)> {
    let place = Place::of_root()?;
    let _lock = place.locked()?;
    let last = nothing_under_way(&place)?;
    let here = place.here()?;
    examine::examine(package, keys, &here)?;
    // What is examined at last is what is installed, whatever becomes of the stick.
    let arrival = place.arrival();
    place::copied(package, &arrival, 0o600)?;
    let letter = super::letter::of(&arrival);
    place::copied(&super::letter::of(package), &letter, 0o600)?;
    let fit = examine::examine(&arrival, keys, &here);
    // It has served.
    let _ = std::fs::remove_file(letter);
    let fit = fit?;
    let progress = Progress {
        phase: Phase::Installing,
        words: format!("installing {} over {}", fit.letter.version, here.installed),
        previous: last.and_then(|last| last.previous),
        from: here.installed,
        to: fit.letter.version.clone(),
        floor: fit.letter.floor.clone(),
        wait_s: patience.wait_s,
        steady_s: patience.steady_s,
        before: watch::seen().ok(),
        at: now(),
    };
    if rehearsal {
        let _ = std::fs::remove_file(arrival);
        return Ok((fit, progress));
    }
    place.keep(&progress.from)?;
    let target = place.package(&progress.to);
    std::fs::rename(&arrival, &target).map_err(file(&target))?;
    begin(&place, &progress)?;
    Ok((fit, progress))
}

/// Makes everything ready for going back to the version before the last update.
///
/// # Errors
/// There is none, or it is below the floor.
pub fn prepare_return(patience: Patience) -> Result<Progress> {
    let place = Place::of_root()?;
    let _lock = place.locked()?;
    let last = nothing_under_way(&place)?;
    let here = place.here()?;
    let kept = last.and_then(|last| last.previous);
    let kept = kept.filter(|version| place.package(version).exists());
    let to = kept.ok_or(UpdateError::NoPrevious)?;
    if let Some(floor) = here.floor.filter(|floor| to < *floor) {
        return Err(UpdateError::BelowFloor { version: to, floor });
    }
    place.keep(&here.installed)?;
    let progress = Progress {
        phase: Phase::Installing,
        words: format!(
            "{} is given up by a person; {to} comes back",
            here.installed
        ),
        from: here.installed,
        to,
        previous: None,
        floor: None,
        wait_s: patience.wait_s,
        steady_s: patience.steady_s,
        before: watch::seen().ok(),
        at: now(),
    };
    begin(&place, &progress)?;
    Ok(progress)
}

fn nothing_under_way(place: &Place) -> Result<Option<Progress>> {
    match place.progress()? {
        Some(last) if last.is_under_way() => Err(UpdateError::UnderWay),
        last => Ok(last),
    }
}

fn begin(place: &Place, progress: &Progress) -> Result<()> {
    let this = std::env::current_exe().map_err(file(Path::new("/proc/self/exe")))?;
    place::copied(&this, &place.program(), 0o755)?;
    place.note(progress)
}

/// Has the service do the work, waits for it, and says how it ended.
///
/// # Errors
/// It could not be started.
pub fn carry_out() -> Result<Progress> {
    // How it ended stands in its note.
    let started = says("systemctl", &["start", UNIT]);
    let progress = Place::installed().progress()?;
    let progress = progress.ok_or(UpdateError::NoPrevious)?;
    if progress.is_under_way() {
        started?;
    }
    Ok(progress)
}

/// Carries an update that is under way to its end.
///
/// # Errors
/// It cannot even be noted how it stands.
pub fn finish() -> Result<Option<Progress>> {
    let place = Place::of_root()?;
    let _lock = place.locked()?;
    let Some(progress) = place.progress()?.filter(Progress::is_under_way) else {
        return Ok(None);
    };
    let mut work = Work { place, progress };
    if work.progress.phase == Phase::Installing {
        work.install()?;
    }
    if work.progress.phase == Phase::Trial {
        work.try_out()?;
    }
    if work.progress.phase == Phase::Returning {
        work.go_back()?;
    }
    Ok(Some(work.progress))
}

/// An update under way.
struct Work {
    place: Place,
    progress: Progress,
}

impl Work {
    fn at(&mut self, phase: Phase, words: String) -> Result<()> {
        println!("{words}");
        (self.progress.phase, self.progress.words, self.progress.at) = (phase, words, now());
        self.place.note(&self.progress)
    }

    fn patience(&self) -> Patience {
        Patience {
            wait_s: self.progress.wait_s,
            steady_s: self.progress.steady_s,
        }
    }

    fn install(&mut self) -> Result<()> {
        let (to, from) = (self.progress.to.clone(), self.progress.from.clone());
        match self.replace(&to, &from) {
            Ok(()) => self.at(Phase::Trial, format!("{to} is installed and watched")),
            Err(error) => self.give_up(&error.to_string()),
        }
    }

    fn try_out(&mut self) -> Result<()> {
        let verdict = watch::proves_itself(self.patience(), self.progress.before.as_ref());
        if let Err(why) = verdict {
            return self.give_up(&why);
        }
        let (to, from) = (self.progress.to.clone(), self.progress.from.clone());
        if let Some(floor) = &self.progress.floor {
            self.place.raise_floor(floor)?;
        }
        // Back to what a person gave up goes only a package.
        self.progress.previous = (from < to).then(|| from.clone());
        let words = format!("{to} works");
        self.at(Phase::Works, words)?;
        self.place.thin(&[&from, &to]);
        Ok(())
    }

    fn give_up(&mut self, why: &str) -> Result<()> {
        let words = format!(
            "{} does not work ({why}); {} comes back",
            self.progress.to, self.progress.from
        );
        self.at(Phase::Returning, words)
    }

    fn go_back(&mut self) -> Result<()> {
        let (to, from) = (self.progress.to.clone(), self.progress.from.clone());
        let words = self.progress.words.clone();
        let ended = self
            .replace(&from, &to)
            .map_err(|error| error.to_string())
            .and_then(|()| watch::proves_itself(self.patience(), None));
        match ended {
            Ok(()) => self.at(Phase::Returned, format!("{words}: it works again")),
            Err(why) => self.at(
                Phase::Stuck,
                format!("{words}, and does not work either ({why}): somebody has to look"),
            ),
        }
    }

    /// Installs a version in the place of another.
    fn replace(&self, version: &Version, other: &Version) -> Result<()> {
        // Finishes what a power cut has left half done. Nothing to do is no error, and an error shows itself in what follows.
        let _ = packaged("dpkg", &["--force-confold", "--configure", "-a"]);
        let package = self.place.package(version);
        let path = package.to_string_lossy();
        if version < other {
            // Before the older one starts: the newer one may have changed the database.
            let _ = says("systemctl", &["stop", SERVICE]);
            leave_word(&self.progress.words)?;
            packaged("dpkg", &["-i", "--force-confdef", "--force-confold", &path])?;
        } else {
            let options = [
                "-y",
                "--no-install-recommends",
                "--no-remove",
                "--allow-change-held-packages",
                "-o",
                "Dpkg::Options::=--force-confdef",
                "-o",
                "Dpkg::Options::=--force-confold",
                "-o",
                "DPkg::Lock::Timeout=300",
                "-o",
                "APT::Sandbox::User=root",
                "--reinstall",
                "install",
                &path,
            ];
            packaged("apt-get", &options)?;
        }
        // It may have been given up by systemd, or stopped above.
        let _ = says("systemctl", &["reset-failed", SERVICE]);
        says("systemctl", &["--no-block", "start", SERVICE])?;
        let found = installed()?;
        if found == *version {
            Ok(())
        } else {
            Err(UpdateError::Contradiction {
                field: "version after installing it",
                found: found.to_string(),
                signed: version.to_string(),
            })
        }
    }
}

/// Tells an older version that the database may be one it does not know. In the name of the directory's owner, so that what lies there cannot
/// lead root astray.
fn leave_word(words: &str) -> Result<()> {
    let config = Config::load(Path::new(watch::CONFIG));
    let data = config.map_or_else(|_| PathBuf::from(DATA_DIR), |config| config.store.data_dir);
    let note = crate::mend::returned_in(&data);
    let owner = std::fs::metadata(&data).map_err(file(&data))?;
    let mut writer = Command::new("sh");
    writer.args(["-c", WRITE, "sh"]).arg(&note);
    writer
        .uid(owner.uid())
        .gid(owner.gid())
        .stdin(Stdio::piped());
    let mut writer = writer.spawn().map_err(file(&note))?;
    if let Some(mut input) = writer.stdin.take() {
        input.write_all(words.as_bytes()).map_err(file(&note))?;
    }
    let ended = writer.wait().map_err(file(&note))?;
    if ended.success() {
        return Ok(());
    }
    let program = "sh".to_owned();
    let said = format!("{} cannot be written", note.display());
    Err(UpdateError::Program { program, said })
}
