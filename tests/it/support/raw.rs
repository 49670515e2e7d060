//! Requests byte for byte, for what no client library would send.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::server::Answer;

/// Generous, because only a failing test takes this long.
const DEADLINE: Duration = Duration::from_secs(30);

/// Sends these bytes to `http://<address>` and reads the first answer; `None` when the connection
/// was closed without one. The bytes must ask for `Connection: close`, or be refused.
pub async fn exchange(base: &str, bytes: &[u8]) -> Option<Answer> {
    let read = tokio::time::timeout(DEADLINE, converse(base, bytes)).await.expect("an end in time");
    answer(&read)
}

/// `GET` with these header lines, each with its line end.
pub async fn get(base: &str, path: &str, headers: &[u8]) -> Answer {
    let mut bytes = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n").into_bytes();
    bytes.extend_from_slice(headers);
    bytes.extend_from_slice(b"\r\n");
    exchange(base, &bytes).await.unwrap_or_else(|| panic!("no answer to GET {path}"))
}

/// Sends these bytes and reads everything until the server closes the connection.
pub async fn converse(base: &str, bytes: &[u8]) -> Vec<u8> {
    let address = base.strip_prefix("http://").unwrap();
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    let mut read = Vec::new();
    // A server that refuses early closes while the rest is still on its way: no fault of the test.
    let (_, _) = tokio::join!(writer.write_all(bytes), reader.read_to_end(&mut read));
    read
}

/// The first answer of these bytes.
pub fn answer(read: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(read).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    Some(Answer {
        status: StatusCode::from_u16(status).ok()?,
        headers: headers.map(|(name, value)| (name.to_lowercase(), value.trim().into())).collect(),
        body: body.to_owned(),
    })
}
