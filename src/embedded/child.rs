//! One run of the private `redis-server`: a shell that watches it (child.sh), and the pipe by which
//! the shell notices that this process has ended.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use redis::{AsyncConnectionConfig, ErrorKind, ServerErrorKind};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{ChildStdin, Command};
use tokio::time::{Instant, sleep, timeout};

use super::error::Error;
use super::place::Place;

/// How long to wait for a Redis that neither answers nor says that it reads its append-only file.
const SIGN_OF_LIFE_WITHIN: Duration = Duration::from_secs(60);
/// Pause between two PINGs.
const PAUSE: Duration = Duration::from_millis(20);
/// Time-out of one PING. A disk that syncs slowly delays every answer.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(5);
/// The watcher kills Redis after 10 s (child.sh); if it has not ended after this, we kill it.
const END_WITHIN: Duration = Duration::from_secs(15);
/// A longer log is renamed when Redis starts, and replaces the one that was renamed before.
const LOG_MAX_BYTES: u64 = 16 * 1024 * 1024;
/// How much of the end of the log is read to quote its last line.
const LOG_TAIL_BYTES: u64 = 4 * 1024;

/// How Redis answers to PING.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Ready,
    /// It reads its append-only file.
    Loading,
    /// No answer.
    Nothing,
}

/// Asks the Redis behind this address whether it is ready.
pub(super) async fn ask(url: &str) -> Answer {
    let question = async {
        let client = redis::Client::open(url)?;
        // One time-out for everything, instead of those of the redis crate for each part.
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        redis::cmd("PING").query_async::<()>(&mut connection).await
    };
    match timeout(QUESTION_TIMEOUT, question).await {
        Ok(Ok(())) => Answer::Ready,
        Ok(Err(fault)) if fault.kind() == ErrorKind::Server(ServerErrorKind::BusyLoading) => {
            Answer::Loading
        }
        Ok(Err(_)) | Err(_) => Answer::Nothing,
    }
}

/// The shell around Redis. Both end soon after this is dropped.
#[derive(Debug)]
pub(super) struct Child {
    shell: tokio::process::Child,
    /// Nothing is written to it; when it is closed, the watcher ends Redis.
    pipe: Option<ChildStdin>,
    /// The length of the log before this run.
    log_from: u64,
}

impl Child {
    /// Starts `executable`, which inherits the lock.
    pub(super) fn spawn(place: &Place, executable: &Path, lock: File) -> Result<Self, Error> {
        let (log, log_from) = open_log(place).map_err(Error::io("open", &place.log()))?;
        let mut shell = Command::new("/bin/sh")
            .args(["-c", include_str!("child.sh"), "firstcome-redis"])
            .arg(executable)
            .args(["--port", "0", "--unixsocketperm", "700", "--unixsocket"])
            .arg(place.socket())
            .arg("--dir")
            .arg(place.redis_dir())
            .arg("--logfile")
            .arg(place.log())
            // No answer is lost in a crash, and no key is evicted.
            .args(["--appendonly", "yes", "--appendfsync", "always"])
            .args(["--no-appendfsync-on-rewrite", "no", "--save", ""])
            .args(["--maxmemory-policy", "noeviction", "--daemonize", "no"])
            .stdin(Stdio::piped())
            // The lock is passed as stdout: an inheritable descriptor would also be inherited by
            // any process that another thread starts at this moment.
            .stdout(lock)
            .stderr(log)
            // A process group of its own: Ctrl-C in a terminal then reaches only the server, which
            // ends Redis last; and child.sh kills its whole group.
            .process_group(0)
            .spawn()
            .map_err(Error::io("start", executable))?;
        let pipe = shell.stdin.take();
        Ok(Self { shell, pipe, log_from })
    }

    /// Completes when Redis answers and has read all of its data, however long that takes.
    pub(super) async fn answering(&mut self, place: &Place) -> Result<(), Error> {
        let mut deadline = Instant::now() + SIGN_OF_LIFE_WITHIN;
        loop {
            let answer = tokio::select! {
                biased;
                _ = self.shell.wait() => {
                    let (last_line, log) = (self.last_line(place), place.log());
                    return Err(Error::Ended { last_line, log });
                }
                answer = ask(place.url()) => answer,
            };
            match answer {
                Answer::Ready => return Ok(()),
                Answer::Loading => deadline = Instant::now() + SIGN_OF_LIFE_WITHIN,
                Answer::Nothing => {}
            }
            if Instant::now() >= deadline {
                let (last_line, log) = (self.last_line(place), place.log());
                return Err(Error::Silent { waited: SIGN_OF_LIFE_WITHIN, last_line, log });
            }
            sleep(PAUSE).await;
        }
    }

    /// Completes when the child has ended; may be dropped and called again.
    pub(super) async fn wait(&mut self) -> io::Result<()> {
        self.shell.wait().await.map(|_| ())
    }

    /// Lets Redis write its data and end. Completes when the shell has ended, or after 20 s if even
    /// killing does not help.
    pub(super) async fn end(&mut self) {
        self.pipe = None;
        if timeout(END_WITHIN, self.shell.wait()).await.is_ok() {
            return;
        }
        let group = self.shell.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(group) = group {
            // Fails if the group has just ended by itself, which is fine.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = timeout(END_WITHIN / 3, self.shell.wait()).await;
    }

    /// The last line that this run wrote to the log.
    fn last_line(&self, place: &Place) -> String {
        let read = || {
            let mut log = File::open(place.log())?;
            let tail = log.metadata()?.len().saturating_sub(LOG_TAIL_BYTES);
            log.seek(SeekFrom::Start(tail.max(self.log_from)))?;
            let mut bytes = Vec::new();
            log.take(LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
            io::Result::Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_default();
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty());
        line.unwrap_or("it logged nothing").to_owned()
    }
}

/// The log, and its length before this run.
fn open_log(place: &Place) -> io::Result<(File, u64)> {
    let path = place.log();
    if path.metadata().is_ok_and(|log| log.len() > LOG_MAX_BYTES) {
        std::fs::rename(&path, path.with_extension("log.old"))?;
    }
    let log = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
    let length = log.metadata()?.len();
    Ok((log, length))
}
