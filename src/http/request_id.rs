//! The id of a request: the one that the client sent, or a new one.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderName, HeaderValue};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// An empty, longer or unprintable id from the client is replaced.
const REQUEST_ID_MAX_BYTES: usize = 128;

/// The id of this request.
pub(super) fn id_of(request: &ServiceRequest) -> HeaderValue {
    let given = request.headers().get(&REQUEST_ID).filter(|id| {
        (1..=REQUEST_ID_MAX_BYTES).contains(&id.len())
            && id.as_bytes().iter().all(u8::is_ascii_graphic)
    });
    given.cloned().unwrap_or_else(new_request_id)
}

/// Unique without a system call: the start time and an address of the thread, and a counter.
pub(super) fn new_request_id() -> HeaderValue {
    thread_local! {
        static COUNT: Cell<u64> = const { Cell::new(0) };
        static THREAD: [u8; 16] = {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let place = COUNT.with(|count| std::ptr::from_ref(count) as u64);
            hex_digits((since.as_nanos() as u64) ^ place.rotate_left(32))
        };
    }
    let count = COUNT.with(|count| count.replace(count.get() + 1));
    let mut id = [0; 32];
    THREAD.with(|thread| id[..16].copy_from_slice(thread));
    id[16..].copy_from_slice(&hex_digits(count));
    HeaderValue::from_bytes(&id).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

fn hex_digits(number: u64) -> [u8; 16] {
    std::array::from_fn(|place| b"0123456789abcdef"[(number >> (60 - 4 * place)) as usize & 15])
}
