//! A proxy between a server and its Redis. A test can delay its replies and make it slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, watch};

const CHUNK_BYTES: usize = 1024;

/// Listens on loopback and passes everything on to a Redis behind a socket, and its replies back.
pub struct Proxy {
    url: String,
    flow: Arc<Flow>,
    /// The proxy has its own thread, because a test that starts a server blocks its thread.
    thread: Option<Runtime>,
}

struct Flow {
    is_held: watch::Sender<bool>,
    held_bytes: AtomicUsize,
    /// 0 when there is no bound.
    bytes_per_second: AtomicU64,
    /// Needed to pass bytes on, because all connections share the bound.
    turn: Mutex<()>,
}

impl Proxy {
    /// In front of the Redis at this `redis+unix://…` URL.
    pub fn before(redis_url: &str) -> Self {
        let path = redis_url.strip_prefix("redis+unix://").unwrap().to_owned();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let flow = Arc::new(Flow {
            is_held: watch::Sender::new(false),
            held_bytes: AtomicUsize::new(0),
            bytes_per_second: AtomicU64::new(0),
            turn: Mutex::new(()),
        });
        let thread = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let passing = flow.clone();
        thread.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((near, _)) = listener.accept().await {
                let far = UnixStream::connect(&path).await.unwrap();
                tokio::spawn(passing.clone().pass(near, far));
            }
        });
        Self { url, flow, thread: Some(thread) }
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Delays all replies from now on.
    pub fn hold_replies(&self) {
        self.flow.held_bytes.store(0, Ordering::SeqCst);
        self.flow.is_held.send_replace(true);
    }

    /// Whether a reply of Redis is being delayed.
    pub fn holds_a_reply(&self) -> bool {
        self.flow.held_bytes.load(Ordering::SeqCst) > 0
    }

    /// Passes this many bytes of all requests together per second.
    pub fn slow_down(&self, bytes_per_second: u64) {
        self.flow.bytes_per_second.store(bytes_per_second, Ordering::SeqCst);
    }

    /// Passes on the delayed replies, and all later ones at once.
    pub fn release_replies(&self) {
        self.flow.is_held.send_replace(false);
    }
}

impl Flow {
    async fn wait_for_turn(&self, bytes: usize) {
        let _turn = self.turn.lock().await;
        if let bound @ 1.. = self.bytes_per_second.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_secs(bytes as u64) / bound as u32).await;
        }
    }

    async fn pass(self: Arc<Self>, mut near: TcpStream, mut far: UnixStream) {
        near.set_nodelay(true).unwrap();
        let (mut from_near, mut to_near) = near.split();
        let (mut from_far, mut to_far) = far.split();
        let requests = async {
            let mut chunk = [0; CHUNK_BYTES];
            while let Ok(bytes @ 1..) = from_near.read(&mut chunk).await {
                self.wait_for_turn(bytes).await;
                if to_far.write_all(&chunk[..bytes]).await.is_err() {
                    return;
                }
            }
        };
        let replies = async {
            let (mut chunk, mut is_held) = ([0; CHUNK_BYTES], self.is_held.subscribe());
            while let Ok(bytes @ 1..) = from_far.read(&mut chunk).await {
                if *is_held.borrow() {
                    self.held_bytes.fetch_add(bytes, Ordering::SeqCst);
                }
                if is_held.wait_for(|is_held| !is_held).await.is_err()
                    || to_near.write_all(&chunk[..bytes]).await.is_err()
                {
                    return;
                }
            }
        };
        // Either end that hangs up ends both.
        tokio::select! {
            () = requests => {}
            () = replies => {}
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.shutdown_background();
        }
    }
}
