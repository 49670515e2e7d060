//! What only a raw socket sends: floods, smuggled requests, bodies without end or without hurry.

use std::fmt::Write as _;
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::raw;
use crate::support::server::{Server, TOKEN};

use super::{SOON, assert_problem, changes_nothing};

#[tokio::test]
async fn a_flood_of_headers_is_refused_and_the_server_goes_on_i4() {
    changes_nothing(async |server| {
        let mut many = String::new();
        for number in 0..200 {
            let _ = write!(many, "X-Flood-{number}: x\r\n");
        }
        let large = format!("X-Flood: {}\r\n", "x".repeat(200 * 1024));
        let endless = format!("X-Flood: {}", "x".repeat(1024 * 1024));
        for (what, lines) in [("200 headers", &many), ("200 KB", &large), ("1 MB", &endless)] {
            for base in [&server.public, &server.admin] {
                let head = "GET /coupons/summer/issue HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
                let bytes = format!("{head}X-User-Id: mallory\r\n{lines}\r\n");
                let answer = raw::exchange(base, bytes.as_bytes()).await;
                let status = answer.map(|answer| answer.status.as_u16());
                assert!(matches!(status, None | Some(400 | 413 | 431)), "{what}: {status:?}");
            }
        }
        let line = "a".repeat(300 * 1024);
        let bytes = format!("GET /{line} HTTP/1.1\r\nHost: x\r\n\r\n");
        let answer = raw::exchange(&server.public, bytes.as_bytes()).await;
        let status = answer.map(|answer| answer.status.as_u16());
        assert!(matches!(status, None | Some(400 | 413 | 414 | 431)), "{status:?}");
    })
    .await;
}

/// The body of one reading is a second request of another.
const SMUGGLED: &str =
    "GET /coupons/summer/issue HTTP/1.1\r\nHost: x\r\nX-User-Id: mallory\r\n\r\n";

#[tokio::test]
async fn a_request_whose_length_can_be_read_in_two_ways_is_refused_i4() {
    changes_nothing(async |server| {
        for lengths in [
            "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
            "Content-Length: 4\r\nContent-Length: 5\r\n",
            "Content-Length: 4, 5\r\n",
            "Content-Length: +4\r\n",
            "Content-Length: -4\r\n",
            "Content-Length: 0x4\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            "Transfer-Encoding : chunked\r\n",
        ] {
            for (base, path) in
                [(&server.public, "/coupons/nowhere/issue"), (&server.admin, "/admin/coupons")]
            {
                let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nX-User-Id: mallory\r\n");
                let bytes = format!("{head}{lengths}\r\n0\r\n\r\n{SMUGGLED}");
                let answer = raw::exchange(base, bytes.as_bytes()).await;
                let status = answer.map(|answer| answer.status.as_u16());
                assert!(matches!(status, None | Some(400 | 501)), "{lengths}: {status:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_huge_body_is_refused_at_its_bound_with_and_without_a_length_i4() {
    changes_nothing(async |server| {
        let head = format!(
            "POST /admin/coupons HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer \
             {TOKEN}\r\nContent-Type: application/json\r\n"
        );
        let megabyte = "x".repeat(1 << 20);
        let with_length = format!("{head}Content-Length: {}\r\n\r\n{megabyte}", 1 << 20);
        let chunks: String =
            (0..256).map(|_| format!("1000\r\n{}\r\n", "x".repeat(4096))).collect();
        let in_chunks = format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
        for (what, bytes) in [("with a length", &with_length), ("in chunks", &in_chunks)] {
            let answer = raw::exchange(&server.admin, bytes.as_bytes()).await.expect(what);
            assert_problem(what, &answer, 413, "body_too_large");
        }
        for bad in ["zz\r\nxx\r\n0\r\n\r\n", "fffffffffffffffff\r\n", "-1\r\nx\r\n0\r\n\r\n"] {
            let bytes = format!("{head}Transfer-Encoding: chunked\r\n\r\n{bad}");
            let answer = raw::exchange(&server.admin, bytes.as_bytes()).await;
            let status = answer.map(|answer| answer.status.as_u16());
            assert!(matches!(status, None | Some(400)), "{bad}: {status:?}");
        }
        for head in [
            "GET / HTTP/9.9\r\n\r\n",
            "\r\n\r\n\r\n",
            "GET\r\n\r\n",
            "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}",
            "GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n",
            "GET /coupons/summer/ issue HTTP/1.1\r\nHost: x\r\n\r\n",
        ] {
            let answer = raw::exchange(&server.public, head.as_bytes()).await;
            let status = answer.map(|answer| answer.status.as_u16());
            assert!(matches!(status, None | Some(400 | 408 | 505)), "{head:?}: {status:?}");
        }
        cut_off(server, &head).await;
    })
    .await;
}

/// A client that promises more than it sends, and leaves.
async fn cut_off(server: &Server, head: &str) {
    let address = server.admin.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let start =
        format!("{head}Content-Length: 100\r\n\r\n{{\"id\":\"new\",\"name\":\"N\",\"total\":5}}");
    stream.write_all(start.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    let status = String::from_utf8_lossy(&rest).lines().next().unwrap_or_default().to_owned();
    assert!(status.is_empty() || status.contains("400"), "{status}");
}

#[tokio::test]
async fn a_slow_body_is_given_up_and_others_are_served_meanwhile_i4() {
    changes_nothing(async |server| {
        let address = server.admin.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /admin/coupons HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{{\"id\":"
        );
        let since = Instant::now();
        stream.write_all(head.as_bytes()).await.unwrap();
        let slow = async {
            let mut read = [0; 2048];
            let bytes = tokio::time::timeout(SOON, stream.read(&mut read)).await.expect("an end");
            String::from_utf8_lossy(&read[..bytes.unwrap()]).into_owned()
        };
        let (answer, others) = tokio::join!(slow, server.get_as_admin("/admin/coupons"));
        assert_eq!(others.status, 200);
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("\"code\":\"body_too_slow\""), "{answer}");
        assert!(since.elapsed() < SOON);
    })
    .await;
}
