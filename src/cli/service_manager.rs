//! Tells the service manager that we are ready, that we stop, what we wait for, and that we are alive.
//!
//! The protocol is that of sd_notify(3): one datagram of `NAME=value` lines to the socket that `NOTIFY_SOCKET` names. Without a service
//! manager that listens, nothing happens.

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// Tells that the start is finished: requests are answered and runs are started.
pub fn ready() {
    notify("READY=1\nSTATUS=serving");
}

/// Tells that the process is about to end.
pub fn stopping() {
    notify("STOPPING=1\nSTATUS=stopping; runs go on");
}

/// Tells in one line what the process is busy with. `systemctl status` shows it.
pub fn status(text: &str) {
    // A line end would begin another assignment.
    notify(&format!("STATUS={}", text.replace(['\n', '\r'], " ")));
}

/// Tells from time to time that this process is alive, if the service manager asked for that, until `shutdown`. It is a task like those
/// that answer requests: when this task does not get to run any more, neither do they.
pub async fn keep_watchdog_quiet(shutdown: CancellationToken) {
    let Some(limit) = watchdog_limit(|name| env::var_os(name), std::process::id()) else {
        return;
    };
    let repeating = async {
        let mut ticks = tokio::time::interval(limit / 3);
        loop {
            ticks.tick().await;
            notify("WATCHDOG=1");
        }
    };
    shutdown.run_until_cancelled(repeating).await;
}

/// How long the service manager waits for a sign of life from the process `own`; `None` when it does not wait for one.
fn watchdog_limit(variable: impl Fn(&str) -> Option<OsString>, own: u32) -> Option<Duration> {
    let number = |name: &str| variable(name)?.to_str()?.parse::<u64>().ok();
    if number("WATCHDOG_PID").is_some_and(|pid| pid != u64::from(own)) {
        return None;
    }
    number("WATCHDOG_USEC")
        .filter(|micros| *micros > 0)
        .map(Duration::from_micros)
}

fn notify(message: &str) {
    let Some(address) = env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty()) else {
        return;
    };
    if let Err(error) = send(&address, message) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}

/// An address that begins with `@` is in Linux's abstract namespace.
fn send(address: &OsStr, message: &str) -> io::Result<()> {
    let address = match address.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(address)?,
    };
    UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reaches_a_socket_in_a_folder_and_an_abstract_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("admiral-test-{}", std::process::id());
        let sockets = [
            (path.clone().into_os_string(), UnixDatagram::bind(&path).unwrap()),
            (
                OsString::from(format!("@{name}")),
                UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap(),
            ),
        ];
        for (address, socket) in sockets {
            send(&address, "READY=1").unwrap();
            let mut buffer = [0; 64];
            let length = socket.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"READY=1", "{}", address.to_string_lossy());
        }
        assert!(send(OsStr::new("/no/such/socket"), "READY=1").is_err());
    }

    #[test]
    fn the_watchdog_is_meant_for_one_process() {
        let limit = |pairs: &'static [(&'static str, &'static str)]| {
            let variable = move |name: &str| {
                let found = pairs.iter().find(|(found, _)| *found == name);
                found.map(|(_, value)| OsString::from(value))
            };
            watchdog_limit(variable, 7)
        };
        assert_eq!(limit(&[("WATCHDOG_USEC", "30000000")]), Some(Duration::from_secs(30)));
        assert_eq!(
            limit(&[("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "7")]),
            Some(Duration::from_millis(1))
        );
        assert_eq!(limit(&[("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "8")]), None);
        assert_eq!(limit(&[("WATCHDOG_USEC", "0")]), None);
        assert_eq!(limit(&[("WATCHDOG_USEC", "soon")]), None);
        assert_eq!(limit(&[]), None);
    }
}
