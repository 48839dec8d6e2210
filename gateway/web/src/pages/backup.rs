//! `/backup/latest`: the newest backup as it was made, encrypted.
//!
//! Not decided here: making one. The page runs no program; the backup's own service does.

use crate::app::App;
use crate::failure::{Failure, PageFailure};
use crate::routes::{Needs, Routes};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use gateway_core::person::Deed;
use std::fs::File;
use std::io::{self, Read as _};
use tokio::task::spawn_blocking;

/// Read at once: a backup of years is far larger than what the gateway may keep in memory.
const PIECE: u64 = 64 << 10;

/// Addresses of backups.
pub(crate) fn routes() -> Routes {
    let manage = Needs::May(Deed::ManageSite);
    Routes::under("").get("/backup/latest", manage, latest)
}

async fn latest(State(app): State<App>) -> Result<Response, PageFailure> {
    let none = || {
        let words = "There is no backup here to download: none was made yet, its stick is not in, or it went elsewhere.";
        Failure::new(StatusCode::NOT_FOUND, "no-backup-here", words)
    };
    let path = app.0.desk.backup().and_then(|backup| backup.file);
    let path = path.ok_or_else(none)?;
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.filter(|name| is_encrypted(name)).ok_or_else(none)?;
    let disposition = format!("attachment; filename=\"{name}\"");
    let file = File::open(&path).map_err(|_| none())?;
    let length = file.metadata().map_err(|_| none())?.len();
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, Body::from_stream(unfold(Some(file), piece))).into_response())
}

/// By its name, which it is given when it is whole.
fn is_encrypted(name: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '.';
    let ends = name.ends_with(".tar.gz.age") || name.ends_with(".tar.gz.gpg");
    name.starts_with("prepaid-gateway-") && ends && name.chars().all(plain)
}

async fn piece(file: Option<File>) -> Option<(io::Result<Bytes>, Option<File>)> {
    let file = file?;
    let read = spawn_blocking(move || {
        let mut piece = Vec::new();
        let got = (&file).take(PIECE).read_to_end(&mut piece);
        got.map(|_| (Bytes::from(piece), file))
    });
    match read
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
    {
        Ok((piece, _)) if piece.is_empty() => None,
        Ok((piece, file)) => Some((Ok(piece), Some(file))),
        Err(error) => Some((Err(error), None)),
    }
}

#[cfg(test)]
mod tests {
    use super::is_encrypted;

    #[test]
    fn only_what_is_encrypted_is_given_out() {
        for (name, expected) in [
            ("prepaid-gateway-0a1b2c3d-20261128T021500Z.tar.gz.age", true),
            ("prepaid-gateway-0a1b2c3d-20261128T021500Z.tar.gz.gpg", true),
            ("prepaid-gateway-0a1b2c3d-20261128T021500Z.tar.gz", false),
            ("gateway.db", false),
            ("prepaid-gateway-\"x\".tar.gz.age", false),
        ] {
            assert_eq!(is_encrypted(name), expected, "{name}");
        }
    }
}
