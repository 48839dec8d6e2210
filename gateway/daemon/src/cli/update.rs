//! `update`: looking at packages, and signing them.

use super::said::{Failure, Result, Said};
use crate::update::examine::{self, Fit, Here};
use crate::update::version::Version;
use crate::update::{UpdateError, installed, keys, letter};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::{Path, PathBuf};

/// `update`
#[derive(Debug, Subcommand)]
pub enum UpdateAction {
    /// Say whether a package may be installed here
    Check(SourceArgs),
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
    /// A package with its FILE.sig beside it, or a directory: the newest in it; sticks (/media) if absent
    from: Option<PathBuf>,
    /// The public keys that count
    #[arg(long, default_value = keys::DIRECTORY)]
    keys: PathBuf,
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

/// Does it.
pub fn carry_out(action: &UpdateAction) -> Result {
    let doing = match action {
        UpdateAction::Check(_) => "find a package to install",
        UpdateAction::Sign(_) => "sign the package",
        UpdateAction::Key { .. } => "make a key",
    };
    let refused = |error: UpdateError| Failure::refused(doing, error.name(), error);
    match action {
        UpdateAction::Check(from) => check(from).map(|(fit, here)| may(&fit, &here)),
        UpdateAction::Sign(args) => signed(args),
        UpdateAction::Key { file } => made(file),
    }
    .map_err(refused)
}

fn here() -> crate::update::Result<Here> {
    Ok(Here {
        architecture: examine::architecture(),
        installed: installed()?,
        floor: None,
    })
}

fn check(from: &SourceArgs) -> crate::update::Result<(Fit, Here)> {
    let keys = keys::all(&from.keys)?;
    let here = here()?;
    let looked_for = |directories: &[&Path]| {
        let found = examine::with_letters(directories);
        let newest = examine::newest(found, &keys, here.architecture);
        newest.ok_or_else(|| UpdateError::NoPackage(directories[0].to_owned()))
    };
    let package = match &from.from {
        None => looked_for(&examine::STICKS.map(Path::new))?,
        Some(path) if path.is_dir() => looked_for(&[path])?,
        Some(path) => path.clone(),
    };
    let fit = examine::examine(&package, &keys, &here)?;
    Ok((fit, here))
}

fn may(fit: &Fit, here: &Here) -> Said {
    let (letter, package) = (&fit.letter, fit.package.display());
    let floor = letter.floor.as_ref().map_or_else(String::new, |floor| {
        format!("; once it works, nothing older than {floor} is installed any more")
    });
    let text = format!(
        "{package}: version {} may be installed over {}; signed with {} at {}{floor}",
        letter.version, here.installed, fit.by, letter.signed
    );
    let facts = json!({
        "file": fit.package, "version": letter.version, "installed": here.installed,
        "floor": letter.floor, "key": fit.by, "signed": letter.signed,
    });
    Said::done(text, facts)
}

fn signed(args: &SignArgs) -> crate::update::Result<Said> {
    let pair = keys::secret(&args.key)?;
    let written = letter::sign(&args.file, &pair, args.floor.clone())?;
    let path = letter::of(&args.file);
    let facts = json!({ "letter": path, "version": written.version, "floor": written.floor });
    Ok(Said::done(path.display().to_string(), facts))
}

fn made(file: &Path) -> crate::update::Result<Said> {
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
