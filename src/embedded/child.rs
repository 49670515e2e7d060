//! One life of the private `redis-server`: a shell that keeps it (child.sh), and the pipe that
//! tells the shell whether we live.

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

/// Redis that neither answers nor says that it reads its append-only file is given up.
const SIGN_OF_LIFE_WITHIN: Duration = Duration::from_secs(60);
/// Between two questions whether it answers.
const PAUSE: Duration = Duration::from_millis(20);
/// One question. A disk that is slow to sync holds up every answer.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(5);
/// The watcher needs 10 s until it kills (child.sh); then we do.
const END_WITHIN: Duration = Duration::from_secs(15);
/// A log that is longer is put aside when Redis starts; the one put aside before is replaced.
const LOG_MAX_BYTES: u64 = 16 * 1024 * 1024;
/// How much of the end of the log is read to quote its last line.
const LOG_TAIL_BYTES: u64 = 4 * 1024;

/// What Redis answers to PING.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Ready,
    /// It reads its append-only file.
    Loading,
    /// Nobody answers.
    Nothing,
}

/// Asks the Redis behind this address whether it is ready.
pub(super) async fn ask(url: &str) -> Answer {
    let question = async {
        let client = redis::Client::open(url)?;
        // One bound for all of it, instead of those of the redis crate for its parts.
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

/// The shell around Redis. Both end when this is dropped, only not at once.
#[derive(Debug)]
pub(super) struct Child {
    shell: tokio::process::Child,
    /// Never written to; the watcher reads its end.
    pipe: Option<ChildStdin>,
    /// The length of the log before this life.
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
            // Nothing told is lost, and nothing is evicted.
            .args(["--appendonly", "yes", "--appendfsync", "always"])
            .args(["--no-appendfsync-on-rewrite", "no", "--save", ""])
            .args(["--maxmemory-policy", "noeviction", "--daemonize", "no"])
            .stdin(Stdio::piped())
            // Handed over as stdout: a descriptor that is inherited in passing would also reach
            // whatever another thread starts at this moment.
            .stdout(lock)
            .stderr(log)
            // Ctrl-C in a terminal is for the server, which ends Redis when it has finished; and
            // child.sh ends its whole group.
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

    /// Completes when the child has died; may be dropped and called again.
    pub(super) async fn wait(&mut self) -> io::Result<()> {
        self.shell.wait().await.map(|_| ())
    }

    /// Lets Redis write what it has and end. Completes when the shell has ended, or, should even
    /// killing not help, after 20 s.
    pub(super) async fn end(&mut self) {
        self.pipe = None;
        if timeout(END_WITHIN, self.shell.wait()).await.is_ok() {
            return;
        }
        let group = self.shell.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(group) = group {
            // Fails when it has just ended by itself, which is as good.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = timeout(END_WITHIN / 3, self.shell.wait()).await;
    }

    /// The last line of this life's log.
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
        line.unwrap_or("it said nothing").to_owned()
    }
}

/// The log, and its length before this life.
fn open_log(place: &Place) -> io::Result<(File, u64)> {
    let path = place.log();
    if path.metadata().is_ok_and(|log| log.len() > LOG_MAX_BYTES) {
        std::fs::rename(&path, path.with_extension("log.old"))?;
    }
    let log = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
    let length = log.metadata()?.len();
    Ok((log, length))
}
