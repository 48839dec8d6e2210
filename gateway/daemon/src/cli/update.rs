//! `update`: looking at packages, installing them, going back; and signing them.

use super::said::{Exit, Failure, Result, Said};
use crate::update::carry;
use crate::update::examine::{self, Fit};
use crate::update::place::{Phase, Place, Progress};
use crate::update::version::Version;
use crate::update::watch::Patience;
use crate::update::{keys, letter, source};
use clap::{Args, Subcommand};
use serde_json::json;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// `update`
#[derive(Debug, Subcommand)]
pub enum UpdateAction {
    /// Say whether a package may be installed here
    Check(SourceArgs),
    /// Install a signed package; the present version comes back by itself if the new one does not work
    Install {
        /// Which.
        #[command(flatten)]
        source: SourceArgs,
        /// How long it is watched.
        #[command(flatten)]
        patience: PatienceArgs,
        /// Only say what would happen
        #[arg(long)]
        dry_run: bool,
    },
    /// Say how the last update ended, and below which version nothing is installed
    Status,
    /// Go back to the version before the last update
    Rollback {
        /// How long it is watched.
        #[command(flatten)]
        patience: PatienceArgs,
    },
    /// Carry an update that is under way to its end; its service runs this
    #[command(hide = true)]
    Finish,
    /// Sign a package: writes FILE.sig beside it
    Sign(SignArgs),
    /// Make a maker's key: FILE, which stays with the maker, and FILE.pub for the gateways
    Key {
        /// The file
        file: PathBuf,
    },
}

/// Where a package is.
#[derive(Debug, Args)]
pub struct SourceArgs {
    /// A package with its FILE.sig beside it, a directory: the newest in it, or `apt`; sticks (/media) if absent
    from: Option<OsString>,
    /// The public keys that count
    #[arg(long, default_value = keys::DIRECTORY)]
    keys: PathBuf,
}

/// How long a version is watched.
#[derive(Debug, Args)]
pub struct PatienceArgs {
    /// Seconds a version has to prove that it works
    #[arg(long, default_value_t = 180, value_parser = clap::value_parser!(u64).range(5..=3_600))]
    wait: u64,
    /// Seconds in a row it has to be well
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(3..=3_600))]
    steady: u64,
}

impl PatienceArgs {
    fn patience(&self) -> Patience {
        Patience {
            wait_s: self.wait,
            steady_s: self.steady,
        }
    }
}

/// `update sign`
#[derive(Debug, Args)]
pub struct SignArgs {
    /// The package
    file: PathBuf,
    /// The secret key, Ed25519 in PEM
    #[arg(long)]
    key: PathBuf,
    /// The oldest version that may be installed once this one works: for a release that closes a hole, its own version
    #[arg(long)]
    floor: Option<Version>,
}

type Done = crate::update::Result<Said>;

/// Does it.
pub fn carry_out(action: &UpdateAction) -> Result {
    let (doing, done) = match action {
        UpdateAction::Check(from) => ("find a package to install", check(from)),
        UpdateAction::Install {
            source,
            patience,
            dry_run,
        } => (
            "install the package",
            install(source, patience.patience(), *dry_run),
        ),
        UpdateAction::Status => ("say how the last update ended", status()),
        UpdateAction::Rollback { patience } => {
            ("go back to the version before", back(patience.patience()))
        }
        UpdateAction::Finish => ("carry the update to its end", finish()),
        UpdateAction::Sign(args) => ("sign the package", signed(args)),
        UpdateAction::Key { file } => ("make a key", made(file)),
    };
    done.map_err(|error| Failure::refused(doing, error.name(), error))
}

fn check(from: &SourceArgs) -> Done {
    let keys = keys::all(&from.keys)?;
    let package = source::find(from.from.as_deref(), &keys)?;
    let here = Place::installed().here()?;
    let fit = examine::examine(&package, &keys, &here)?;
    Ok(may(&fit, &here.installed, &package))
}

fn install(from: &SourceArgs, patience: Patience, rehearsal: bool) -> Done {
    let keys = keys::all(&from.keys)?;
    let package = source::find(from.from.as_deref(), &keys)?;
    let (fit, progress) = carry::prepare(&package, &keys, patience, rehearsal)?;
    if rehearsal {
        return Ok(may(&fit, &progress.from, &package));
    }
    eprintln!(
        "{}; it is watched for {} s, at most {} s more",
        progress.words, patience.steady_s, patience.wait_s
    );
    ended(&carry::carry_out()?, Phase::Works)
}

fn back(patience: Patience) -> Done {
    let progress = carry::prepare_return(patience)?;
    eprintln!("{}", progress.words);
    ended(&carry::carry_out()?, Phase::Works)
}

fn finish() -> Done {
    match carry::finish()? {
        None => Ok(Said::done(
            "no update is under way",
            json!({ "update": null }),
        )),
        Some(progress) => ended(&progress, Phase::Works),
    }
}

fn status() -> Done {
    let place = Place::installed();
    match place.progress()? {
        None => {
            let text = "no update was made with `update install` yet";
            Ok(Said::done(
                text,
                json!({ "update": null, "floor": place.floor()? }),
            ))
        }
        Some(progress) => ended(&progress, progress.phase),
    }
}

/// How it stands; refused unless it is at the end that was wanted.
fn ended(progress: &Progress, wanted: Phase) -> Done {
    let floor = Place::installed().floor()?;
    let mut text = format!("{} ({})", progress.words, progress.at);
    if let Some(floor) = &floor {
        text.push_str(&format!(
            "\nnothing older than {floor} is installed here any more"
        ));
    }
    if let Some(previous) = &progress.previous {
        text.push_str(&format!("\n`update rollback` goes back to {previous}"));
    }
    Ok(Said {
        text,
        json: json!({ "update": progress, "floor": floor }),
        exit: match progress.phase == wanted {
            true => Exit::Done,
            false => Exit::Refused,
        },
    })
}

fn may(fit: &Fit, installed: &Version, package: &Path) -> Said {
    let (letter, path) = (&fit.letter, package.display());
    let floor = letter.floor.as_ref().map_or_else(String::new, |floor| {
        format!("; once it works, nothing older than {floor} is installed any more")
    });
    let text = format!(
        "{path}: version {} may be installed over {installed}; signed with {} at {}{floor}",
        letter.version, fit.by, letter.signed
    );
    let facts = json!({
        "file": package, "version": letter.version, "installed": installed,
        "floor": letter.floor, "key": fit.by, "signed": letter.signed,
    });
    Said::done(text, facts)
}

fn signed(args: &SignArgs) -> Done {
    let pair = keys::secret(&args.key)?;
    let written = letter::sign(&args.file, &pair, args.floor.clone())?;
    let path = letter::of(&args.file);
    let facts = json!({ "letter": path, "version": written.version, "floor": written.floor });
    Ok(Said::done(path.display().to_string(), facts))
}

fn made(file: &Path) -> Done {
    let public = keys::make(file)?;
    let text = format!(
        "{} stays with you; {} goes into {} of each gateway",
        file.display(),
        public.display(),
        keys::DIRECTORY
    );
    Ok(Said::done(
        text,
        json!({ "secret": file, "public": public }),
    ))
}
