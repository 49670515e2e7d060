//! Connections: how long an idle one is kept, and what happens when they are scarce.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::server::{Server, command};

use super::SOON;

/// An end that was sent is there.
const AT_ONCE: Duration = Duration::from_millis(5);
const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

/// Asks on this connection, which stays open on this side.
async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(REQUEST).await.unwrap();
    let mut read = [0; 1_024];
    let length = tokio::time::timeout(SOON, stream.read(&mut read)).await.expect("an answer");
    String::from_utf8_lossy(&read[..length.unwrap()]).into_owned()
}

#[tokio::test]
async fn idle_connections_never_keep_out_who_comes_next() {
    let dir = tempfile::tempdir().unwrap();
    let serve = command(dir.path(), &[("FIRSTCOME_WORKERS", "1")]);
    let mut few = std::process::Command::new("sh");
    few.args(["-c", "ulimit -n 400; exec \"$0\" serve"]).arg(serve.get_program());
    few.env_clear();
    for (name, value) in serve.get_envs() {
        few.env(name, value.unwrap_or_default());
    }
    let server = Server::start_from(few).ready().await;
    let address = server.public.strip_prefix("http://").unwrap();
    let mut kept = Vec::new();
    for number in 0..600 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let answer = ask(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{number}: {answer}");
        kept.push(stream);
    }
    // Those that were idle for longest made room, and no others.
    let is_open = async |stream: &mut TcpStream| {
        let end = tokio::time::timeout(AT_ONCE, stream.read(&mut [0; 16])).await;
        end.is_err()
    };
    assert!(server.metric("firstcome_http_idle_closed_total").await > 100.0);
    let mut open = Vec::new();
    for stream in &mut kept {
        open.push(is_open(stream).await);
    }
    let first_open = open.iter().position(|open| *open).expect("one is open");
    assert!(first_open > 100, "600 connections with 400 files: {first_open} were closed");
    assert!(open[first_open..].iter().all(|open| *open), "the longest idle go first: {open:?}");
    assert!(600 - first_open > 100, "{first_open} were closed");
}

#[tokio::test]
async fn an_idle_connection_is_kept_for_as_long_as_the_setting_says() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[("FIRSTCOME_KEEP_ALIVE_MS", "1000")]).await;
    let address = server.public.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200"));
    let since = Instant::now();
    let end = tokio::time::timeout(SOON, stream.read(&mut [0; 16])).await.expect("an end");
    assert_eq!(end.unwrap(), 0);
    let kept = since.elapsed();
    assert!(kept > Duration::from_millis(700) && kept < SOON, "{kept:?}");
}
