//! Whether a package may be installed on this machine, and where packages are looked for.

use super::keys::Key;
use super::letter::{self, Letter};
use super::version::Version;
use super::{PACKAGE, Result, UpdateError, file, says};
use std::fs;
use std::path::{Path, PathBuf};

/// Where sticks are.
pub const STICKS: [&str; 3] = ["/media", "/run/media", "/mnt"];
/// Directories below that are looked into: `/media/USER/STICK/DIRECTORY`.
const DEPTH: u32 = 3;
/// Files that are looked at: a stick may be full of photographs.
const FILES: u32 = 20_000;

/// The machine a package is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Here {
    /// dpkg's name of its architecture.
    pub architecture: &'static str,
    /// The version that is installed.
    pub installed: Version,
    /// The oldest version that may be installed.
    pub floor: Option<Version>,
}

/// dpkg's name of the architecture this program is for.
pub const fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        "arm64"
    } else if cfg!(target_arch = "arm") {
        "armhf"
    } else {
        "amd64"
    }
}

/// A package that may be installed.
#[derive(Debug, Clone)]
pub struct Fit {
    /// Its letter.
    pub letter: Letter,
    /// The key that has signed it.
    pub by: String,
}

/// Whether what a letter says fits this machine; the file is not looked at.
///
/// # Errors
/// It does not.
pub fn suits(letter: &Letter, here: &Here) -> Result<()> {
    is_for(letter, here.architecture)?;
    if let Some(floor) = here.floor.as_ref().filter(|floor| letter.version < **floor) {
        return Err(UpdateError::BelowFloor {
            version: letter.version.clone(),
            floor: floor.clone(),
        });
    }
    if letter.version == here.installed {
        return Err(UpdateError::Same(letter.version.clone()));
    }
    if letter.version < here.installed {
        return Err(UpdateError::Older {
            version: letter.version.clone(),
            installed: here.installed.clone(),
        });
    }
    Ok(())
}

fn is_for(letter: &Letter, here: &'static str) -> Result<()> {
    if letter.package != PACKAGE {
        return Err(UpdateError::OtherPackage(letter.package.clone()));
    }
    if letter.architecture != here {
        let found = letter.architecture.clone();
        return Err(UpdateError::OtherArchitecture { found, here });
    }
    Ok(())
}

/// Whether a file is the one its letter is about.
///
/// # Errors
/// It is not, or cannot be read.
pub fn is_what_was_signed(package: &Path, letter: &Letter) -> Result<()> {
    let (found, sha256) = letter::sum(package)?;
    if found < letter.bytes {
        return Err(UpdateError::Truncated {
            package: package.to_owned(),
            found,
            signed: letter.bytes,
        });
    }
    if found != letter.bytes || !sha256.eq_ignore_ascii_case(&letter.sha256) {
        return Err(UpdateError::Altered(package.to_owned()));
    }
    let path = package.to_string_lossy();
    let signed = [
        ("Package", letter.package.clone()),
        ("Version", letter.version.to_string()),
        ("Architecture", letter.architecture.clone()),
    ];
    for (field, signed) in signed {
        let found = says("dpkg-deb", &["-f", &path, field])?;
        if found != signed {
            return Err(UpdateError::Contradiction {
                field,
                found,
                signed,
            });
        }
    }
    Ok(())
}

/// Whether a package may be installed here.
///
/// # Errors
/// It may not; the first reason in the order of [`UpdateError`], what the file holds before what its version is.
pub fn examine(package: &Path, keys: &[Key], here: &Here) -> Result<Fit> {
    fs::metadata(package).map_err(file(package))?;
    let (letter, by) = letter::read(package, keys)?;
    is_for(&letter, here.architecture)?;
    is_what_was_signed(package, &letter)?;
    suits(&letter, here)?;
    Ok(Fit { letter, by })
}

/// Every package with a letter below some directories.
pub fn with_letters(directories: &[&Path]) -> Vec<PathBuf> {
    let (mut found, mut left) = (Vec::new(), FILES);
    for directory in directories {
        look(directory, DEPTH, &mut left, &mut found);
    }
    found.sort();
    found
}

fn look(directory: &Path, deep: u32, left: &mut u32, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let Some(less) = left.checked_sub(1) else {
            return;
        };
        *left = less;
        let path = entry.path();
        // Links are not followed: they may lead round in circles.
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_directory && deep > 0 {
            look(&path, deep - 1, left, found);
        } else if path.to_string_lossy().ends_with(".deb.sig") {
            found.push(path.with_extension(""));
        }
    }
}

/// The newest of some packages whose letter a key of the site has signed and that is for this machine.
pub fn newest(packages: Vec<PathBuf>, keys: &[Key], here: &'static str) -> Option<PathBuf> {
    let signed = packages.into_iter().filter_map(|package| {
        let (letter, _) = letter::read(&package, keys).ok()?;
        is_for(&letter, here).ok()?;
        Some((letter.version, package))
    });
    let newest = signed.max_by(|one, other| one.0.cmp(&other.0));
    newest.map(|(_, package)| package)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::tests::scratch;
    use ring::signature::Ed25519KeyPair;
    use std::fmt::Write as _;

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key")
    }

    fn here() -> Here {
        Here {
            architecture: "arm64",
            installed: "1.0-1".parse().expect("a version"),
            floor: Some("0.9-1".parse().expect("a version")),
        }
    }

    fn letter(version: &str) -> Letter {
        Letter {
            package: PACKAGE.into(),
            version: version.parse().expect("a version"),
            architecture: "arm64".into(),
            bytes: 4,
            sha256: "ab".into(),
            floor: None,
            signed: "2026-11-28T08:00:00Z".into(),
        }
    }

    /// Writes a letter and says how it is read.
    fn read(text: &str) -> std::result::Result<Letter, &'static str> {
        let scratch = scratch("letter");
        let package = scratch.join("p.deb");
        fs::write(letter::of(&package), text).expect("written");
        let keys = [Key::of("one", &pair(1)), Key::of("two", &pair(2))];
        let read = letter::read(&package, &keys);
        fs::remove_dir_all(&scratch).expect("removed");
        match read {
            Ok((letter, by)) => {
                assert_eq!(by, "two");
                Ok(letter)
            }
            Err(error) => Err(error.name()),
        }
    }

    #[test]
    fn a_letter_is_believed_from_a_key_of_the_site_only_and_unchanged_only() {
        let mut said = letter("1.2-1");
        let good = said.signed_with(&pair(2));
        assert_eq!(read(&good), Ok(said.clone()));
        said.floor = Some("1.1-1".parse().expect("a version"));
        assert_eq!(read(&said.signed_with(&pair(2))), Ok(said.clone()));
        assert_eq!(read(&said.signed_with(&pair(3))), Err("unknown-signature"));
        for (old, new, name) in [
            ("version: 1.2", "version: 1.3", "unknown-signature"),
            ("floor: 1.1", "floor: 0.1", "unknown-signature"),
            ("signature: ", "signature: AAAA", "unknown-signature"),
            ("signature: ", "signatur: ", "bad-letter"),
            ("signature: ", "signature: !", "bad-letter"),
            ("\nsignature: ", "signature: ", "bad-letter"),
        ] {
            let text = said.signed_with(&pair(2)).replace(old, new);
            assert_eq!(read(&text), Err(name), "{text}");
        }
        assert_eq!(read(&"x".repeat(5_000)), Err("bad-letter"));
        assert_eq!(read(""), Err("bad-letter"));
    }

    #[test]
    fn a_signed_text_that_is_no_letter_is_refused() {
        let good = letter("1.2-1").signed_with(&pair(2));
        let (text, _) = good.rsplit_once("signature").expect("it has one");
        for (old, new) in [
            ("update 1\n", "update 2\n"),
            ("bytes: 4", "bytes: four"),
            ("version: 1.2-1", "version: newest"),
            ("version: 1.2-1\n", ""),
            ("version: 1.2-1", "version: 1.2-1\nversion: 1.3-1"),
            ("sha256: ab", "sha256"),
        ] {
            let text = text.replace(old, new);
            assert!(text.parse::<Letter>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_a_letter_says_has_to_suit_the_machine() {
        let named = |letter: &Letter| suits(letter, &here()).map_err(|error| error.name());
        assert_eq!(named(&letter("1.0-2")), Ok(()));
        assert_eq!(named(&letter("1.0-1")), Err("same-version"));
        assert_eq!(named(&letter("1.0~rc1-1")), Err("older"));
        assert_eq!(named(&letter("0.8-1")), Err("below-floor"));
        let mut other = letter("2.0-1");
        other.architecture = "amd64".into();
        assert_eq!(named(&other), Err("other-architecture"));
        other.package = "nginx".into();
        assert_eq!(named(&other), Err("other-package"));
    }

    #[test]
    fn a_file_has_to_be_the_one_that_was_signed() {
        let scratch = scratch("file");
        let package = scratch.join("p.deb");
        let named = |content: &[u8], bytes: u64| {
            fs::write(&package, content).expect("written");
            let mut said = letter("2.0-1");
            said.bytes = bytes;
            let ended = is_what_was_signed(&package, &said);
            ended.map_err(|error| error.name())
        };
        assert_eq!(named(b"abc", 4), Err("truncated"));
        assert_eq!(named(b"abcd", 4), Err("altered"));
        assert_eq!(named(b"abcde", 4), Err("altered"));
        fs::remove_dir_all(&scratch).expect("removed");
    }

    #[test]
    fn the_newest_signed_package_for_this_machine_is_found_on_a_stick() {
        let scratch = scratch("stick");
        let deep = scratch.join("pi/STICK/updates");
        fs::create_dir_all(&deep).expect("made");
        let put = |name: &str, said: &Letter, seed: u8| {
            let text = said.signed_with(&pair(seed));
            fs::write(deep.join(format!("{name}.deb.sig")), text).expect("written");
        };
        let mut foreign = letter("9.0-1");
        foreign.architecture = "amd64".into();
        put("foreign", &foreign, 1);
        put("stranger", &letter("8.0-1"), 3);
        put("b", &letter("1.10-1"), 1);
        put("c", &letter("1.9-1"), 1);
        let found = with_letters(&[&scratch]);
        assert_eq!(found.len(), 4);
        let keys = [Key::of("one", &pair(1))];
        assert_eq!(newest(found, &keys, "arm64"), Some(deep.join("b.deb")));
        let mut many = String::new();
        for number in 0..3 {
            write!(many, "{number}/").expect("written");
        }
        fs::create_dir_all(deep.join(many)).expect("made");
        fs::write(deep.join("0/1/2/d.deb.sig"), "").expect("written");
        assert_eq!(with_letters(&[&scratch]).len(), 4, "too deep");
        fs::remove_dir_all(&scratch).expect("removed");
    }
}
