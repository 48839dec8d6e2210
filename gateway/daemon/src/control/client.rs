//! The subcommands' end of the control socket.

use super::{LONGEST_RESPONSE, Request, Response};
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// The daemon answers or gives up itself; the client waits a little longer, to hear that.
const GRACE: Duration = Duration::from_secs(5);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error(
        "no gateway listens at {path} ({reason}); start the service, or name its data directory with --data"
    )]
    NotRunning {
        /// The socket.
        path: String,
        /// What the system said.
        reason: io::Error,
    },
    /// The caller may not write to the socket.
    #[error("{path} may only be used by its group; use sudo")]
    NotAllowed {
        /// The socket.
        path: String,
    },
    /// The connection ended before an answer.
    #[error(
        "the gateway did not answer ({0}); it may have done it all the same: look before you repeat it"
    )]
    NoAnswer(io::Error),
    /// The answer makes no sense.
    #[error("the gateway is another version than this command ({0}); restart the service")]
    OtherVersion(serde_json::Error),
}

/// Asks the daemon one thing.
///
/// # Errors
/// There is no daemon, or it did not answer in time.
pub fn ask(socket: &Path, request: &Request) -> Result<Response, ClientError> {
    let path = || socket.display().to_string();
    let stream = UnixStream::connect(socket).map_err(|reason| match reason.kind() {
        io::ErrorKind::PermissionDenied => ClientError::NotAllowed { path: path() },
        _ => ClientError::NotRunning {
            path: path(),
            reason,
        },
    })?;
    let line = exchange(&stream, request).map_err(ClientError::NoAnswer)?;
    serde_json::from_slice(&line).map_err(ClientError::OtherVersion)
}

fn exchange(mut stream: &UnixStream, request: &Request) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(request.within() + GRACE))?;
    stream.set_write_timeout(Some(request.within()))?;
    let behind = super::peer::behind_sudo().map(|user| Request::OnBehalfOf { user });
    let mut lines = Vec::new();
    for request in behind.iter().chain([request]) {
        serde_json::to_writer(&mut lines, request)?;
        lines.push(b'\n');
    }
    stream.write_all(&lines)?;
    let mut answer = Vec::new();
    let most = LONGEST_RESPONSE as u64;
    BufReader::new(stream.take(most)).read_until(b'\n', &mut answer)?;
    if answer.last() == Some(&b'\n') {
        Ok(answer)
    } else {
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it hung up"))
    }
}
