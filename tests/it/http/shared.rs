//! Requests that share a connection: each is answered as if it were alone.

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::support::server::TOKEN;

use super::{SOON, changes_nothing};

/// A request of these tests.
struct Asked {
    bytes: String,
    has_body: bool,
    /// The connection ends with its answer.
    is_last: bool,
}

fn asked(line: &str, fields: &str, body: &str) -> Asked {
    Asked {
        bytes: format!("{line}\r\nHost: x\r\n{fields}\r\n{body}"),
        has_body: !line.starts_with("HEAD") && !line.starts_with("OPTIONS"),
        is_last: fields.contains("Connection: close")
            || fields.contains("Connection: Upgrade")
            || line.ends_with("1.0") && !fields.contains("Connection: keep-alive"),
    }
}

/// Of every kind one whose answer is the same each time.
fn of_every_kind(path: &str, fields: &str) -> Vec<Asked> {
    let nothing = format!("GET {path}/nothing/at/all");
    let post = format!("POST {path} HTTP/1.1");
    let json = format!("{fields}Content-Type: application/json\r\n");
    vec![
        asked("GET /healthz HTTP/1.1", "", ""),
        asked("HEAD /healthz HTTP/1.1", "", ""),
        asked("OPTIONS /healthz HTTP/1.1", "", ""),
        asked("GET /healthz HTTP/1.0", "", ""),
        asked("GET /healthz HTTP/1.0", "Connection: keep-alive\r\n", ""),
        asked("GET /healthz HTTP/1.1", "Connection: close\r\n", ""),
        asked("GET /healthz HTTP/1.1", "Connection: Upgrade\r\nUpgrade: h2c\r\n", ""),
        asked(&format!("{nothing} HTTP/1.1"), fields, ""),
        asked(&format!("{nothing} HTTP/1.0"), &format!("{fields}Connection: keep-alive\r\n"), ""),
        asked(&post, &format!("{json}Content-Length: 2\r\n"), "{]"),
        asked(&post, &format!("{json}Content-Length: 0\r\n"), ""),
        asked(&post, &format!("{json}Transfer-Encoding: chunked\r\n"), "2;a=b\r\n{]\r\n0\r\n\r\n"),
        asked(&post, &format!("{json}Transfer-Encoding: chunked\r\n"), "0\r\nA: b\r\n\r\n"),
    ]
}

/// The next answer, its header lines sorted and without those that always differ.
async fn next_answer(reader: &mut BufReader<TcpStream>, has_body: bool) -> Option<String> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await.unwrap() == 0 {
            assert!(lines.is_empty(), "cut off: {lines:?}");
            return None;
        }
        if line == "\r\n" {
            break;
        }
        lines.push(line.to_lowercase());
    }
    let length = lines.iter().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |length| length.trim().parse().unwrap());
    let mut body = vec![0; if has_body { length } else { 0 }];
    reader.read_exact(&mut body).await.unwrap();
    lines.retain(|line| !line.starts_with("date") && !line.starts_with("x-request-id"));
    lines[1..].sort();
    Some(format!("{}{}", lines.concat(), String::from_utf8(body).unwrap()))
}

async fn connect(base: &str) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(base.strip_prefix("http://").unwrap()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    BufReader::new(stream)
}

/// What each is answered when all are sent at once, or cut into pieces of so many bytes.
async fn together(base: &str, all: &[&Asked], piece_bytes: usize) -> Vec<String> {
    let mut reader = connect(base).await;
    let bytes: String = all.iter().map(|asked| asked.bytes.as_str()).collect();
    let mut told = Vec::new();
    let talk = async {
        for piece in bytes.as_bytes().chunks(piece_bytes) {
            // After an answer that was the last one the server no longer listens.
            if reader.write_all(piece).await.is_err() {
                break;
            }
        }
        for asked in all {
            match next_answer(&mut reader, asked.has_body).await {
                Some(answer) => told.push(answer),
                None => break,
            }
        }
    };
    tokio::time::timeout(SOON, talk).await.unwrap_or_else(|_| panic!("no end after {bytes}"));
    told
}

#[tokio::test]
async fn requests_that_share_a_connection_never_change_each_others_answer_i4() {
    changes_nothing(async |server| {
        let admin = format!("Authorization: Bearer {TOKEN}\r\n");
        let public = of_every_kind("/coupons/summer/issue", "X-User-Id: ada\r\n");
        let admins = of_every_kind("/admin/coupons", &admin);
        for (base, kinds) in [(&server.public, &public), (&server.admin, &admins)] {
            let mut alone = Vec::new();
            for asked in kinds {
                let mut told = together(base, &[asked], usize::MAX).await;
                alone.push(told.pop().unwrap_or_else(|| panic!("no answer to {}", asked.bytes)));
            }
            for (first, told_first) in kinds.iter().zip(&alone) {
                for (second, told_second) in kinds.iter().zip(&alone) {
                    let both = together(base, &[first, second], usize::MAX).await;
                    let expected: &[_] = match first.is_last {
                        true => &[told_first],
                        false => &[told_first, told_second],
                    };
                    let what = format!("{}{}", first.bytes, second.bytes);
                    assert_eq!(both.iter().collect::<Vec<_>>(), expected, "{what}");
                }
            }
            let kept: Vec<_> = kinds.iter().zip(&alone).filter(|(one, _)| !one.is_last).collect();
            let all: Vec<_> = kept.iter().map(|(asked, _)| *asked).collect();
            let expected: Vec<_> = kept.iter().map(|(_, told)| (*told).clone()).collect();
            for piece_bytes in [usize::MAX, 7, 1] {
                assert_eq!(together(base, &all, piece_bytes).await, expected, "{piece_bytes}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_follows_the_last_request_of_a_connection_gets_no_ticket_i4() {
    changes_nothing(async |server| {
        let issue = asked("GET /coupons/summer/issue HTTP/1.1", "X-User-Id: mallory\r\n", "");
        for last in [
            asked("GET /healthz HTTP/1.1", "Connection: close\r\n", ""),
            asked("GET /healthz HTTP/1.0", "", ""),
            asked("GET /healthz HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n", ""),
            asked("CONNECT x:1 HTTP/1.1", "", ""),
        ] {
            let told = together(&server.public, &[&last, &issue], usize::MAX).await;
            assert_eq!(told.len(), 1, "{}: {told:?}", last.bytes);
        }
    })
    .await;
}
