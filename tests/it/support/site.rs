//! A site: one Redis and one database, and as many processes around them as a test wants.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::Signal;

use super::eventually::eventually;
use super::redis::PrivateRedis;
use super::server::{self, Server};
use super::{postgres, processes};

/// The databases that a site may stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// A file.
    Sqlite,
    /// The private server.
    Postgres,
}

/// One Redis and one fresh database.
pub struct Site {
    /// The Redis of all processes.
    pub redis: PrivateRedis,
    /// The database of all processes.
    pub database_url: String,
    dir: tempfile::TempDir,
}

impl Site {
    /// A new one without any process.
    pub async fn start(dialect: Dialect) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database_url = match dialect {
            Dialect::Sqlite => format!("sqlite:{}", dir.path().join("site.db").display()),
            Dialect::Postgres => postgres::fresh_database().await,
        };
        Self { redis: PrivateRedis::start().await, database_url, dir }
    }

    /// The data directory of all processes.
    pub fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    /// Starts a server and waits until it listens; it may be recovering.
    pub async fn listening(&self, variables: &[(&str, &str)]) -> Server {
        Server::start(self.dir.path(), &self.with(variables)).await
    }

    /// Starts a server and waits until it is ready to issue.
    pub async fn server(&self, variables: &[(&str, &str)]) -> Server {
        self.listening(variables).await.ready().await
    }

    /// Starts a `firstcome worker` and waits until it works.
    pub fn worker(&self, variables: &[(&str, &str)]) -> Worker {
        let mut command = server::command(self.dir.path(), &self.with(variables));
        command.arg("worker");
        Worker::start_from(command)
    }

    fn with<'a>(&'a self, variables: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let ours = [("REDIS_URL", self.redis.url()), ("DATABASE_URL", &self.database_url)];
        ours.into_iter().chain(variables.iter().copied()).collect()
    }
}

/// A `firstcome worker`. Ended when the test ends, however it ends.
pub struct Worker {
    child: Child,
    /// `http://127.0.0.1:<port>` for admins.
    pub admin: String,
}

impl Worker {
    /// Starts one by a command of the test's own, and waits until it listens.
    pub fn start_from(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut lines = output.lines().map_while(Result::ok);
        let admin = lines.find_map(|line| Some(line.trim().strip_prefix("admins")?.trim().into()));
        Self { child, admin: admin.expect("the worker ended before it told where admins may ask") }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and waits for the end.
    pub async fn terminate(&mut self) -> ExitStatus {
        processes::signal(self.child.id(), Signal::TERM);
        eventually("the worker's end", async || self.child.try_wait().unwrap()).await
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
