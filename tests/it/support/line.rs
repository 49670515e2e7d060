//! A user's connection, byte by byte: the only way to hang up before the answer, and to distinguish
//! an answer that never began from one that broke off.

use std::io;

use reqwest::StatusCode;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::server::Answer;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The connection ended before the first byte of one.
    Unanswered,
    /// The connection ended in the middle of one.
    Torn,
}

/// One connection that is kept alive. Dropping it hangs up.
pub struct Line {
    stream: BufReader<TcpStream>,
}

impl Line {
    /// Connects to `http://<address>`.
    pub async fn open(base: &str) -> io::Result<Self> {
        let address = base.strip_prefix("http://").unwrap_or(base);
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Asks for a ticket, and does not read the answer yet.
    pub async fn ask(&mut self, coupon: &str, user: &str) -> Result<(), Cut> {
        let request = format!(
            "GET /coupons/{coupon}/issue HTTP/1.1\r\nHost: it\r\nX-User-Id: {user}\r\n\r\n"
        );
        self.stream.write_all(request.as_bytes()).await.map_err(|_| Cut::Unanswered)
    }

    /// Reads one answer to its end.
    pub async fn answer(&mut self) -> Result<Answer, Cut> {
        let first = self.header_line().await;
        let first = first.ok().filter(|line| !line.is_empty()).ok_or(Cut::Unanswered)?;
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut answer = Answer {
            status: status.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Cut::Torn)?,
            headers: Default::default(),
            body: String::new(),
        };
        loop {
            let line = self.header_line().await.map_err(|_| Cut::Torn)?;
            match line.split_once(':') {
                Some((name, value)) => {
                    let name = name.to_ascii_lowercase();
                    answer.headers.insert(name, value.trim().to_owned());
                }
                None if line == "\r\n" => break,
                None => return Err(Cut::Torn),
            }
        }
        let length = answer.headers.get("content-length").and_then(|text| text.parse().ok());
        let mut body = vec![0; length.ok_or(Cut::Torn)?];
        self.stream.read_exact(&mut body).await.map_err(|_| Cut::Torn)?;
        answer.body = String::from_utf8(body).map_err(|_| Cut::Torn)?;
        Ok(answer)
    }

    /// Asks for a ticket and reads the answer.
    pub async fn issue(&mut self, coupon: &str, user: &str) -> Result<Answer, Cut> {
        self.ask(coupon, user).await?;
        self.answer().await
    }

    async fn header_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        Ok(line)
    }
}
