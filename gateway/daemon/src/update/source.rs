//! Where a package comes from: a file, a directory or stick, or the apt repository the site has configured.

use super::examine;
use super::keys::Key;
use super::place::Place;
use super::{PACKAGE, Result, UpdateError, file, letter, packaged, says};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// The word for the configured apt repository.
const APT: &str = "apt";
/// Fetches a file by apt's own ways.
const APT_HELPER: &str = "/usr/lib/apt/apt-helper";
/// apt's own user may not look into root's directories.
const AS_ROOT: [&str; 2] = ["-o", "APT::Sandbox::User=root"];

/// Finds a package: `apt`, a file, a directory, or nothing: sticks.
///
/// # Errors
/// There is none for this machine, or the repository cannot be asked.
pub fn find(from: Option<&OsStr>, keys: &[Key]) -> Result<PathBuf> {
    let Some(from) = from else {
        return newest(&examine::STICKS.map(Path::new), keys);
    };
    let path = Path::new(from);
    if from == APT && !path.exists() {
        fetched()
    } else if path.is_dir() {
        newest(&[path], keys)
    } else {
        Ok(path.to_owned())
    }
}

fn newest(directories: &[&Path], keys: &[Key]) -> Result<PathBuf> {
    let found = examine::with_letters(directories);
    let newest = examine::newest(found, keys, examine::architecture());
    newest.ok_or_else(|| {
        let names = directories
            .iter()
            .map(|directory| directory.display().to_string());
        UpdateError::NoPackage(names.collect::<Vec<_>>().join(", "))
    })
}

/// Fetches the package and its letter from the repository. apt looks at the repository's signature; the letter is looked at like any other.
fn fetched() -> Result<PathBuf> {
    let place = Place::of_root()?;
    packaged("apt-get", &["-q", "update"])?;
    let said = says("apt-get", &["download", "-q", "--print-uris", PACKAGE])?;
    let (uri, name) =
        parted(&said).ok_or_else(|| UpdateError::NoPackage("the apt repository".into()))?;
    let directory = place.fetched();
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir(&directory).map_err(file(&directory))?;
    let package = directory.join(name);
    let to = package.to_string_lossy();
    let mut words = vec!["-q"];
    words.extend(AS_ROOT);
    words.extend(["download", PACKAGE]);
    super::says_in("apt-get", &words, &directory)?;
    let letter = letter::of(&package);
    let address = format!("{uri}.sig");
    let mut words = AS_ROOT.to_vec();
    let target = letter.to_string_lossy();
    words.extend(["download-file", &address, &target]);
    says(APT_HELPER, &words).map_err(|_| UpdateError::Unsigned {
        package: PathBuf::from(to.as_ref()),
        letter: address.into(),
    })?;
    Ok(package)
}

/// Address and file name of what `apt-get download --print-uris` says: `'http://…' NAME SIZE SUM`.
fn parted(said: &str) -> Option<(&str, &str)> {
    let line = said.lines().find(|line| line.starts_with('\''))?;
    let (uri, rest) = line.strip_prefix('\'')?.split_once("' ")?;
    let name = rest.split_whitespace().next()?;
    (name.ends_with(".deb") && !name.contains('/')).then_some((uri, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apt_says_names_the_address_and_the_file() {
        let said = "'http://updates.example/pool/p/prepaid-gateway_1.0-1_arm64.deb' prepaid-gateway_1.0-1_arm64.deb 7527728 SHA256:ab";
        let expected = (
            "http://updates.example/pool/p/prepaid-gateway_1.0-1_arm64.deb",
            "prepaid-gateway_1.0-1_arm64.deb",
        );
        assert_eq!(parted(said), Some(expected));
        assert_eq!(parted("E: Unable to locate package"), None);
        assert_eq!(parted("'http://a/b' ../../etc/x.deb 1 SHA256:ab"), None);
    }
}
