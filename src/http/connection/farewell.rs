//! The end of a connection whose client still sends: writes a last answer, if there is one, and
//! then reads for a while. Closing a socket that has unread bytes can destroy the answer that was
//! written last (RFC 9112, 9.6).

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use actix_web::rt::time::{Sleep, sleep};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

/// How long a client has to receive the answer and to stop sending.
const WITHIN: Duration = Duration::from_secs(1);

/// What is left to do on a connection that ends.
pub(super) struct Farewell {
    text: Vec<u8>,
    written: usize,
    until: Pin<Box<Sleep>>,
}

impl Farewell {
    /// Sends this text, which may be empty.
    pub(super) fn telling(text: Vec<u8>) -> Self {
        Self { text, written: 0, until: Box::pin(sleep(WITHIN)) }
    }

    /// Ready when the client has received the text and closed its side, or when its time is over.
    pub(super) fn poll(
        &mut self,
        socket: &mut TcpStream,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.until.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut socket = Pin::new(socket);
        while self.written < self.text.len() {
            let rest = &self.text[self.written..];
            match ready!(socket.as_mut().poll_write(context, rest))? {
                0 => return Poll::Ready(Ok(())),
                written => self.written += written,
            }
        }
        ready!(socket.as_mut().poll_shutdown(context))?;
        let mut scratch = [0; 4_096];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            ready!(socket.as_mut().poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
