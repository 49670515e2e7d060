//! A connection of a client, between its socket and the parser.
//!
//! The parser keeps what it knows of a request (whether it is a HEAD, its version, whether to
//! close) once per connection, and it reads ahead: of two requests that arrive together, the
//! second one would change the answer to the first. So this module gives it one request at a time.
//! The parser refuses with an empty answer; here that becomes a refusal with a body, like every
//! other.

mod chunks;
mod farewell;
mod head;
mod refusal;
mod room;
mod turn;

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::rt::net::TcpStream;
use actix_web::rt::time::{Sleep, sleep};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use farewell::Farewell;
use room::Seat;
use turn::{NotTaken, Rest};

use super::settings::HEADERS_WITHIN;

pub(super) use room::Room;
pub(super) use turn::{Answer, Handled, Turn};

/// How much is read of the next requests while one is answered. Reading also notices that the
/// client has closed the connection.
const AHEAD_MAX_BYTES: usize = 8 * 1_024;

pub(super) struct Connection {
    socket: TcpStream,
    seat: Seat,
    /// Bytes that were read, and not yet given to the parser.
    ahead: Vec<u8>,
    /// The deadline for the rest of a request of which a part has arrived.
    rest_within: Option<Pin<Box<Sleep>>>,
    farewell: Option<Farewell>,
}

impl Connection {
    /// A connection that takes a place in this room.
    pub(super) fn new(socket: TcpStream, room: &Rc<Room>) -> Self {
        let seat = room.seat();
        Self { socket, seat, ahead: Vec::new(), rest_within: None, farewell: None }
    }

    /// The state that its requests share with it.
    pub(super) fn turn(&self) -> Rc<Turn> {
        Rc::clone(&self.seat.turn)
    }

    /// Reads ahead, and tells the parser only that the connection has ended.
    fn poll_ahead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.ahead.len() < AHEAD_MAX_BYTES && self.socket.poll_read_ready(context)?.is_ready()
        {
            self.ahead.reserve(AHEAD_MAX_BYTES - self.ahead.len());
            match self.socket.try_read_buf(&mut self.ahead) {
                Ok(0) => return Poll::Ready(Ok(())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        self.seat.turn.remember(context.waker());
        Poll::Pending
    }

    /// No byte has arrived. Pending until more arrive, the rest of a request is late, or the room
    /// needs the place.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.seat.turn.remember(context.waker());
        let Some(rest) = self.seat.turn.awaited() else {
            self.rest_within = None;
            return Poll::Pending;
        };
        let late = self.rest_within.get_or_insert_with(|| Box::pin(sleep(HEADERS_WITHIN)));
        ready!(late.as_mut().poll(context));
        match rest {
            Rest::OfHead => self.part(refusal::of_too_slow(), context),
            Rest::OfAnsweredBody => self.part(Vec::new(), context),
        }
    }

    /// Gives the parser the bytes that were read ahead, as far as it may have them.
    fn give_ahead(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = self.ahead.len().min(buffer.remaining());
        match self.seat.turn.take(&self.ahead[..room]) {
            Ok(taken) => {
                buffer.put_slice(&self.ahead[..taken]);
                self.ahead.drain(..taken);
                if self.ahead.is_empty() {
                    // Few clients send ahead; one that did once does not keep the memory.
                    self.ahead = Vec::new();
                }
                Poll::Ready(Ok(()))
            }
            Err(not_taken) => self.end(not_taken, context),
        }
    }

    /// Ends a request that cannot be read.
    fn end(&mut self, why: NotTaken, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match why {
            NotTaken::TooLarge(part) => self.part(refusal::of_too_large(part), context),
            NotTaken::Malformed => Poll::Ready(Ok(())),
        }
    }

    /// Ends the connection, and the parser's part of it.
    fn part(&mut self, text: Vec<u8>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.farewell = Some(Farewell::telling(text));
        self.poll_parting(context)
    }

    fn poll_parting(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.farewell {
            Some(farewell) => farewell.poll(&mut self.socket, context),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.farewell.is_some() {
            return this.poll_parting(context);
        }
        if !this.seat.turn.is_the_parsers() {
            return this.poll_ahead(context);
        }
        if this.seat.turn.must_close() {
            return Poll::Ready(Ok(()));
        }
        if !this.ahead.is_empty() {
            return this.give_ahead(context, buffer);
        }
        let before = buffer.filled().len();
        if Pin::new(&mut this.socket).poll_read(context, buffer)?.is_pending() {
            return this.poll_more(context);
        }
        let read = &buffer.filled()[before..];
        if read.is_empty() {
            return Poll::Ready(Ok(()));
        }
        match this.seat.turn.take(read) {
            Ok(taken) => {
                this.ahead.extend_from_slice(&read[taken..]);
                buffer.set_filled(before + taken);
                Poll::Ready(Ok(()))
            }
            Err(not_taken) => {
                buffer.set_filled(before);
                this.end(not_taken, context)
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.farewell.is_none() && this.seat.turn.has_no_request() {
            this.farewell = Some(Farewell::telling(refusal::in_place_of(bytes)));
        }
        if this.farewell.is_some() {
            // After this the parser drops the connection, so the farewell must be over by then.
            ready!(this.poll_parting(context))?;
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut this.socket).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.seat.turn.written() && !this.ahead.is_empty() {
            context.waker().wake_by_ref();
        }
        Pin::new(&mut this.socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.farewell.is_none() {
            ready!(Pin::new(&mut this.socket).poll_shutdown(context))?;
            if this.ahead.is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.farewell = Some(Farewell::telling(Vec::new()));
        }
        this.poll_parting(context)
    }
}
