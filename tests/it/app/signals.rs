//! Signals: those that ask for an end end a server in order, the others do not touch it.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::support::eventually::eventually;
use crate::support::processes;
use crate::support::server::{Server, command};

#[tokio::test]
async fn a_closed_terminal_ends_a_server_as_sigterm_does_and_tears_no_answer() {
    for signal in [Signal::HUP, Signal::QUIT, Signal::INT] {
        let dir = tempfile::tempdir().unwrap();
        let mut server = Server::start(dir.path(), &[]).await.ready().await;
        server.prepare("summer", 10).await;
        server.issue("summer", "ada").await;
        server.signal(signal);
        let status = server.ended().await;
        assert_eq!(status.code(), Some(0), "{signal:?}: it ended by itself, in order");
        // In order means that what was told is a row (I3).
        let server = Server::start(dir.path(), &[]).await.ready().await;
        assert_eq!(server.stats("summer").await["rows"], 1, "{signal:?}");
    }
}

#[tokio::test]
async fn signals_that_mean_nothing_to_a_server_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    server.prepare("summer", 10).await;
    for (signal, user) in
        [(Signal::USR1, "ada"), (Signal::USR2, "eve"), (Signal::PIPE, "kim"), (Signal::ALARM, "li")]
    {
        server.signal(signal);
        assert_eq!(server.issue("summer", user).await.status, 200, "{signal:?}");
    }
    // A signal is delivered late at most: the second look would find the server gone.
    assert_eq!(server.get("/healthz").await.status, 200);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_signal_that_whoever_started_it_had_it_ignore_does_not_end_it() {
    let dir = tempfile::tempdir().unwrap();
    let plain = command(dir.path(), &[]);
    // As `nohup firstcome serve &` in a script does.
    let mut ignoring = Command::new("env");
    ignoring.arg("--ignore-signal=HUP,INT,QUIT").arg(plain.get_program()).arg("serve").env_clear();
    ignoring.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut server = Server::start_from(ignoring).ready().await;
    server.prepare("summer", 100).await;
    for signal in [Signal::HUP, Signal::INT, Signal::QUIT] {
        server.signal(signal);
        for user in 0..30 {
            let told = server.issue("summer", &format!("{signal:?} {user}")).await;
            assert_eq!(told.status, 200, "{signal:?}");
        }
        assert!(server.is_alive(), "{signal:?}");
    }
    server.terminate();
    assert_eq!(server.ended().await.code(), Some(0), "SIGTERM always ends it");
}

#[tokio::test]
async fn a_server_that_still_starts_can_be_told_to_stop() {
    let dir = tempfile::tempdir().unwrap();
    // As if the Redis of an earlier server had not ended yet: the start waits for it.
    let lock = std::fs::File::create(dir.path().join("redis.lock")).unwrap();
    lock.lock().unwrap();
    for signal in [Signal::TERM, Signal::HUP] {
        let mut start = command(dir.path(), &[("FIRSTCOME_LOG", "info")]);
        start.arg("serve").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = start.spawn().unwrap();
        let log = child.stderr.take().unwrap();
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(log));
        let waits = |line: &std::io::Result<String>| {
            line.as_ref().is_ok_and(|line| line.contains("waiting for an earlier redis-server"))
        };
        assert!(lines.any(|line| waits(&line)), "it waits");
        processes::signal(child.id(), signal);
        let status = eventually("its end", async || child.try_wait().unwrap()).await;
        assert_eq!((status.code(), status.signal()), (Some(0), None), "{signal:?}: in order");
    }
}
