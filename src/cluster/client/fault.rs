//! What broke between us and an API server.

use std::error::Error as _;
use std::io;

use kube::client::AuthError;

use crate::cluster::transport::TransportError;

/// Says what broke, in words without URL, header or body.
pub(super) fn fault_of(error: &kube::Error) -> TransportError {
    if let kube::Error::Auth(auth) = error {
        return TransportError::Credentials(reason_of_auth(auth));
    }
    let mut words: Vec<String> = Vec::new();
    let mut broken = false;
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(auth) = cause.downcast_ref::<AuthError>() {
            return TransportError::Credentials(reason_of_auth(auth));
        }
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            if io.kind() == io::ErrorKind::TimedOut {
                return TransportError::Refused("no connection in time".to_owned());
            }
            broken |= matches!(
                io.kind(),
                io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::NotConnected
                    | io::ErrorKind::UnexpectedEof
            );
        }
        if let Some(hyper) = cause.downcast_ref::<hyper::Error>() {
            // Whatever ends a connection that stood, but what we or the server said wrongly on it.
            broken |= !hyper.is_user() && !hyper.is_parse();
        }
        words.push(cause.to_string());
        source = cause.source();
    }
    // The innermost cause says it; those around it repeat it.
    let reason = words.pop().unwrap_or_else(|| "the connection failed".to_owned());
    if broken { TransportError::Broken(reason) } else { TransportError::Refused(reason) }
}

/// Why credentials could not be had. What a plugin printed is never quoted: it may be the credential.
fn reason_of_auth(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecStart(source) => {
            format!("the credential plugin does not start: {}", source.kind())
        }
        // The command is not quoted either: its arguments and variables may be credentials.
        AuthError::AuthExecRun { out, .. } => {
            format!("the credential plugin ended with {}", out.status)
        }
        AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed => {
            "the credential plugin did not answer with an ExecCredential".to_owned()
        }
        AuthError::ReadTokenFile(source, path) => {
            format!("the token file {} cannot be read: {}", path.display(), source.kind())
        }
        _ => "the credentials of the context cannot be used".to_owned(),
    }
}
