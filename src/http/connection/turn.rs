//! Whose turn it is on a connection: the parser's, which waits for the next request, or the
//! handler's, which has not answered the last one yet.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use actix_web::HttpMessage as _;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::Bytes;

use super::chunks::Chunks;
use super::head::{Head, TooLarge};

/// The stage of the current request on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The head of the next request may arrive.
    Head,
    /// The parser has a whole head.
    Given,
    /// A handler has the request.
    Handled,
    /// The answer is complete, and not yet written.
    Answered,
}

/// What the parser has not yet been given of a request's body.
#[derive(Debug, Clone, Copy)]
enum Body {
    Bytes(u64),
    Chunks(Chunks),
    /// Everything that follows: the client asked for another protocol, which this server does not
    /// speak.
    Endless,
}

/// Why bytes are not given to the parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotTaken {
    TooLarge(TooLarge),
    /// The chunks of a body are malformed. The request is answered like one that was cut off.
    Malformed,
}

/// Which part of a request is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    OfHead,
    /// The rest of a body whose request was answered before it arrived.
    OfAnsweredBody,
}

/// The state that a connection shares with its requests.
pub(in crate::http) struct Turn {
    phase: Cell<Phase>,
    head: Cell<Head>,
    body: Cell<Body>,
    /// The client wants no request after the current one.
    is_last: Cell<bool>,
    /// Another connection needs the place.
    must_close: Cell<bool>,
    idle_since: Cell<u64>,
    place: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

impl Turn {
    pub(super) fn at(place: usize) -> Self {
        Self {
            phase: Cell::new(Phase::Head),
            head: Cell::default(),
            body: Cell::new(Body::Bytes(0)),
            is_last: Cell::new(false),
            must_close: Cell::new(false),
            idle_since: Cell::new(now()),
            place: Cell::new(place),
            waker: RefCell::default(),
        }
    }

    /// The turn of the connection on which this request arrived. From now on it is the handler's.
    pub(in crate::http) fn begin(request: &ServiceRequest) -> Option<Handled> {
        let turn = request.conn_data::<Rc<Self>>()?;
        turn.phase.set(Phase::Handled);
        turn.is_last.set(request.head().connection_type() != ConnectionType::KeepAlive);
        if !matches!(request.parts().1, Payload::None) {
            turn.body.set(body_of(request));
            turn.wake();
        }
        Some(Handled(Rc::clone(turn)))
    }

    /// Whether the parser may have more bytes: of the body, or of the next request.
    pub(super) fn is_the_parsers(&self) -> bool {
        match self.body.get() {
            Body::Bytes(0) => self.phase.get() == Phase::Head && !self.is_last.get(),
            _ => true,
        }
    }

    /// Whether the parser writes an answer of its own, because no handler has a request.
    pub(super) fn has_no_request(&self) -> bool {
        matches!(self.phase.get(), Phase::Head | Phase::Given)
    }

    /// How many of these bytes the parser may have: at least one.
    pub(super) fn take(&self, bytes: &[u8]) -> Result<usize, NotTaken> {
        let (taken, body) = match self.body.get() {
            Body::Bytes(0) => return self.take_head(bytes).map_err(NotTaken::TooLarge),
            Body::Bytes(left) => {
                let taken = left.min(bytes.len() as u64);
                (taken as usize, Body::Bytes(left - taken))
            }
            Body::Chunks(mut chunks) => {
                let taken = chunks.take(bytes).map_err(|_| NotTaken::Malformed)?;
                let has_ended = chunks == Chunks::Ended;
                (taken, if has_ended { Body::Bytes(0) } else { Body::Chunks(chunks) })
            }
            Body::Endless => (bytes.len(), Body::Endless),
        };
        self.body.set(body);
        Ok(taken)
    }

    fn take_head(&self, bytes: &[u8]) -> Result<usize, TooLarge> {
        let mut head = self.head.get();
        let taken = head.take(bytes)?;
        if taken.is_whole {
            self.phase.set(Phase::Given);
            head = Head::default();
        }
        self.head.set(head);
        Ok(taken.bytes)
    }

    /// Called when everything is written. Whether the next request may come now.
    pub(super) fn written(&self) -> bool {
        let is_answered = self.phase.get() == Phase::Answered;
        if is_answered {
            self.phase.set(Phase::Head);
            self.idle_since.set(now());
        }
        is_answered
    }

    /// The part of a request that must arrive soon, if no handler waits for it.
    pub(super) fn awaited(&self) -> Option<Rest> {
        if self.phase.get() != Phase::Head {
            return None;
        }
        if !matches!(self.body.get(), Body::Bytes(0)) {
            return Some(Rest::OfAnsweredBody);
        }
        self.head.get().has_begun().then_some(Rest::OfHead)
    }

    /// Whether no handler has a request and no answer is being written.
    pub(super) fn is_idle(&self) -> bool {
        self.phase.get() == Phase::Head && !self.must_close.get()
    }

    /// When it became idle, as a number that grows.
    pub(super) fn idle_since(&self) -> u64 {
        self.idle_since.get()
    }

    /// Closes the connection as soon as it is idle.
    pub(super) fn close(&self) {
        self.must_close.set(true);
        self.wake();
    }

    /// Whether the connection must close.
    pub(super) fn must_close(&self) -> bool {
        self.must_close.get()
    }

    /// The index of its place in the room.
    pub(super) fn place(&self) -> usize {
        self.place.get()
    }

    /// Moves it to another place.
    pub(super) fn move_to(&self, place: usize) {
        self.place.set(place);
    }

    /// Stores the waker that [`Turn::wake`] wakes.
    pub(super) fn remember(&self, waker: &Waker) {
        let mut known = self.waker.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}

/// A number that grows with every call on this thread.
fn now() -> u64 {
    thread_local! {
        static COUNT: Cell<u64> = const { Cell::new(0) };
    }
    COUNT.with(|count| {
        count.set(count.get() + 1);
        count.get()
    })
}

fn body_of(request: &ServiceRequest) -> Body {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    match length.map(|text| text.trim().parse()) {
        Some(Ok(bytes)) => Body::Bytes(bytes),
        _ if request.chunked().unwrap_or(false) => Body::Chunks(Chunks::Start),
        _ => Body::Endless,
    }
}

/// A request that a handler has. Dropping it means that the request is answered.
pub(in crate::http) struct Handled(Rc<Turn>);

impl Handled {
    /// The answer, which notices when it is complete.
    pub(in crate::http) fn answer<B>(
        handled: Option<Self>,
        mut response: ServiceResponse<B>,
    ) -> ServiceResponse<Answer<B>> {
        if let Some(Self(turn)) = &handled
            && turn.must_close()
        {
            turn.is_last.set(true);
            response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        }
        response.map_body(|_, body| Answer { body, _handled: handled })
    }
}

impl Drop for Handled {
    fn drop(&mut self) {
        self.0.phase.set(Phase::Answered);
    }
}

/// The body of an answer. The server drops it when it has taken all of it.
pub(in crate::http) struct Answer<B> {
    body: B,
    _handled: Option<Handled>,
}

impl<B: MessageBody + Unpin> MessageBody for Answer<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, B::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(context)
    }
}
