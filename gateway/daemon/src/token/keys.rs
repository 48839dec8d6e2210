//! Keys from files and from the command line.

use super::Failed;
use super::args::{CipherArgs, MeterArgs};
use gateway_core::tokens::{Algorithm, DecoderKey, Ea07Tables, KeyTerms, VendingKey};
use std::fs;
use std::path::Path;

/// The cipher that was asked for.
pub fn algorithm(cipher: &CipherArgs, doing: &'static str) -> Result<Algorithm, Failed> {
    match (cipher.ea.as_str(), &cipher.ea07_tables) {
        ("11", _) => Ok(Algorithm::Ea11),
        (_, None) => {
            let why = "EA07 needs the site's table file; name it with --ea07-tables";
            Err(Failed::new(doing, "no-ea07-tables", why))
        }
        (_, Some(path)) => {
            let tables = read(path, doing)?.parse::<Ea07Tables>();
            let tables = tables.map_err(|fault| {
                let why = format!("{}: {fault}", path.display());
                Failed::new(doing, "ea07-tables-faulty", why)
            })?;
            Ok(Algorithm::Ea07(tables.into()))
        }
    }
}

/// A decoder key as hexadecimal digits.
pub fn decoder_key(
    algorithm: &Algorithm,
    hex: &str,
    doing: &'static str,
) -> Result<DecoderKey, Failed> {
    DecoderKey::from_hex(algorithm, hex.trim())
        .map_err(|fault| Failed::new(doing, "no-usable-key", fault))
}

/// The meter's key under the vending key in a file.
pub fn derived(
    path: &Path,
    meter: &MeterArgs,
    terms: &KeyTerms,
    doing: &'static str,
) -> Result<DecoderKey, Failed> {
    let unusable = |fault| {
        let why = format!("{}: {fault}", path.display());
        Failed::new(doing, "no-usable-key", why)
    };
    let vending: VendingKey = secret(path, doing)?.trim().parse().map_err(unusable)?;
    let algorithm = algorithm(&meter.cipher, doing)?;
    vending
        .derive(&algorithm, terms, &meter.pan)
        .map_err(unusable)
}

/// Reads a file of keys, and says so if others can read it too.
pub fn secret(path: &Path, doing: &'static str) -> Result<String, Failed> {
    let text = read(path, doing)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let open = fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0);
        if open {
            let file = path.display();
            eprintln!("{file} can be read by other users of this machine; `chmod 600 {file}`");
        }
    }
    Ok(text)
}

fn read(path: &Path, doing: &'static str) -> Result<String, Failed> {
    fs::read_to_string(path).map_err(|error| {
        let why = format!("{} cannot be read: {error}", path.display());
        Failed::new(doing, "file-unreadable", why)
    })
}
