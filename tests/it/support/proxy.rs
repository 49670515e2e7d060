//! A proxy between a client and a server, a server and its Redis, or a server and its database. A
//! test can delay, cut and hold back replies, and make everything slow.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, watch};

const CHUNK_BYTES: usize = 1024;

/// What it does with what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It passes everything on.
    Open,
    /// Replies wait until the mode changes, and are passed on then.
    Held,
    /// Requests pass, replies do not; the connections end when the mode changes.
    Lost,
    /// Each piece of a reply is passed on this much later.
    Delayed(Duration),
    /// A connection ends in the middle of a reply, after fewer bytes of replies than this.
    Cut(u64),
    /// Nothing passes; the connections end when the mode changes.
    BlackHole,
    /// The client's half of each connection ends, and the other end learns that when the mode
    /// changes. New connections are passed on.
    HalfOpen,
}

/// At which moment of a request a trap springs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The far end never sees the request.
    Before,
    /// The far end does what it says, and the reply never comes.
    After,
}

/// Where it passes everything on to.
#[derive(Debug, Clone)]
pub enum Far {
    Socket(PathBuf),
    /// A port of loopback, with its host.
    Port(String),
}

/// Listens on loopback and passes everything on, and the replies back.
pub struct Proxy {
    url: String,
    flow: Arc<Flow>,
    /// The proxy has its own thread, because a test that starts a server blocks its thread.
    thread: Option<Runtime>,
}

struct Flow {
    mode: watch::Sender<Mode>,
    /// The words of a request, until it is seen.
    trap: std::sync::Mutex<Option<(Vec<u8>, Moment)>>,
    held_bytes: AtomicUsize,
    cut_replies: AtomicU64,
    /// Connections whose replies have been counted down to a cut.
    budgets: AtomicU64,
    /// 0 when there is no bound.
    bytes_per_second: AtomicU64,
    /// Needed to pass bytes on, because all connections share the bound.
    turn: Mutex<()>,
}

impl Proxy {
    /// In front of the Redis at this `redis+unix://…` URL.
    pub fn before(redis_url: &str) -> Self {
        Self::to(Far::Socket(redis_url.strip_prefix("redis+unix://").unwrap().into()))
    }

    /// In front of anything.
    pub fn to(far: Far) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let flow = Arc::new(Flow {
            mode: watch::Sender::new(Mode::Open),
            trap: std::sync::Mutex::default(),
            held_bytes: AtomicUsize::new(0),
            cut_replies: AtomicU64::new(0),
            budgets: AtomicU64::new(0),
            bytes_per_second: AtomicU64::new(0),
            turn: Mutex::new(()),
        });
        let thread = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let passing = flow.clone();
        thread.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(passing.clone().connect(near, far.clone()));
            }
        });
        Self { url, flow, thread: Some(thread) }
    }

    /// Where it listens, as the URL of a Redis.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens: host and port.
    pub fn address(&self) -> &str {
        self.url.strip_prefix("redis://").unwrap()
    }

    /// Does this with everything from now on.
    pub fn set(&self, mode: Mode) {
        self.flow.held_bytes.store(0, Ordering::SeqCst);
        self.flow.mode.send_replace(mode);
    }

    /// Stops the first connection on which a request has these words, until its client hangs up.
    pub fn trap(&self, words: &str, moment: Moment) {
        *self.flow.trap.lock().unwrap() = Some((words.into(), moment));
    }

    /// Whether the trap has sprung.
    pub fn has_sprung(&self) -> bool {
        self.flow.trap.lock().unwrap().is_none()
    }

    /// Whether a reply is being held back.
    pub fn holds_a_reply(&self) -> bool {
        self.flow.held_bytes.load(Ordering::SeqCst) > 0
    }

    /// How many replies it has cut.
    pub fn cut_replies(&self) -> u64 {
        self.flow.cut_replies.load(Ordering::SeqCst)
    }

    /// Passes this many bytes of all requests together per second.
    pub fn slow_down(&self, bytes_per_second: u64) {
        self.flow.bytes_per_second.store(bytes_per_second, Ordering::SeqCst);
    }
}

impl Flow {
    async fn wait_for_turn(&self, bytes: usize) {
        let _turn = self.turn.lock().await;
        if let bound @ 1.. = self.bytes_per_second.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_secs(bytes as u64) / bound as u32).await;
        }
    }

    /// Nobody at the far end is a connection that ends at once.
    async fn connect(self: Arc<Self>, near: TcpStream, far: Far) -> io::Result<()> {
        near.set_nodelay(true)?;
        match far {
            Far::Socket(path) => self.pass(near, UnixStream::connect(path).await?).await,
            Far::Port(address) => {
                let far = TcpStream::connect(address).await?;
                far.set_nodelay(true)?;
                self.pass(near, far).await
            }
        }
    }

    async fn pass(
        self: Arc<Self>,
        near: TcpStream,
        far: impl AsyncRead + AsyncWrite + Send + 'static,
    ) -> io::Result<()> {
        let (mut from_far, mut to_far) = tokio::io::split(far);
        let (from_near, to_near) = near.into_split();
        let is_trapped = AtomicBool::new(false);
        let mut mode = self.mode.subscribe();
        mode.mark_unchanged();
        // Either end that hangs up ends both.
        tokio::select! {
            ended = self.requests(from_near, &mut to_far, &is_trapped) => return ended,
            ended = self.replies(&mut from_far, to_near, &is_trapped) => return ended,
            // What has begun before the halves part.
            _ = async {
                while mode.changed().await.is_ok() {
                    if *mode.borrow() == Mode::HalfOpen {
                        return;
                    }
                }
            } => {}
        }
        // The near half is gone; the far one waits.
        let _ = mode.wait_for(|mode| *mode != Mode::HalfOpen).await;
        Ok(())
    }

    async fn requests(
        &self,
        mut from: impl AsyncRead + Unpin + Send,
        to: &mut (impl AsyncWrite + Unpin + Send),
        is_trapped: &AtomicBool,
    ) -> io::Result<()> {
        let (mut chunk, mut mode) = ([0; CHUNK_BYTES], self.mode.subscribe());
        let mut seen = Vec::new();
        while let bytes @ 1.. = from.read(&mut chunk).await? {
            if *mode.borrow_and_update() == Mode::BlackHole {
                let _ = mode.wait_for(|mode| *mode != Mode::BlackHole).await;
                break;
            }
            if let Some(moment) = self.springs(&mut seen, &chunk[..bytes], is_trapped) {
                if moment == Moment::After {
                    to.write_all(&chunk[..bytes]).await?;
                }
                while from.read(&mut chunk).await? > 0 {}
                break;
            }
            self.wait_for_turn(bytes).await;
            to.write_all(&chunk[..bytes]).await?;
        }
        Ok(())
    }

    async fn replies(
        &self,
        from: &mut (impl AsyncRead + Unpin + Send),
        mut to: impl AsyncWrite + Unpin + Send,
        is_trapped: &AtomicBool,
    ) -> io::Result<()> {
        let (mut chunk, mut mode) = ([0; CHUNK_BYTES], self.mode.subscribe());
        let mut budget = None;
        while let bytes @ 1.. = from.read(&mut chunk).await? {
            if is_trapped.load(Ordering::SeqCst) {
                return std::future::pending().await;
            }
            let now = *mode.borrow_and_update();
            match now {
                Mode::Open | Mode::HalfOpen => {}
                Mode::Held => {
                    self.held_bytes.fetch_add(bytes, Ordering::SeqCst);
                    let _ = mode.wait_for(|mode| *mode != Mode::Held).await;
                }
                Mode::Delayed(by) => tokio::time::sleep(by).await,
                Mode::Lost | Mode::BlackHole => {
                    let _ = mode.wait_for(|mode| *mode != now).await;
                    break;
                }
                Mode::Cut(most) => {
                    let left = budget.get_or_insert_with(|| self.budget(most));
                    if *left < bytes as u64 {
                        self.cut_replies.fetch_add(1, Ordering::SeqCst);
                        return to.write_all(&chunk[..*left as usize]).await;
                    }
                    *left -= bytes as u64;
                }
            }
            to.write_all(&chunk[..bytes]).await?;
        }
        Ok(())
    }

    /// Whether the words of the trap are in what this connection said last.
    fn springs(&self, seen: &mut Vec<u8>, chunk: &[u8], is_trapped: &AtomicBool) -> Option<Moment> {
        let mut trap = self.trap.lock().unwrap();
        let (words, moment) = trap.clone()?;
        // The words may be in two chunks.
        seen.extend_from_slice(chunk);
        if seen.windows(words.len()).any(|some| some == words) {
            is_trapped.store(true, Ordering::SeqCst);
            *trap = None;
            return Some(moment);
        }
        seen.drain(..seen.len().saturating_sub(words.len()));
        None
    }

    /// The bytes of replies that a connection gets before it is cut: well mixed, and repeatable.
    fn budget(&self, most: u64) -> u64 {
        let number = self.budgets.fetch_add(1, Ordering::SeqCst) + 1;
        (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % most
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.shutdown_background();
        }
    }
}
