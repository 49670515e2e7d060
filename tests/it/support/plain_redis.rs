//! A redis-server as an operator may run one: any mode, on a TCP port, with any settings.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use redis::{Cmd, FromRedisValue};

use super::eventually::eventually;
use super::redis::connect;

/// A running redis-server. Ended when the test ends, however it ends.
pub struct PlainRedis {
    child: Child,
    /// Where it listens.
    pub url: String,
    /// The same, without the scheme.
    pub port: u16,
    words: Vec<String>,
    dir: tempfile::TempDir,
}

impl PlainRedis {
    /// Starts an empty one with the settings of a careful operator and these further arguments.
    pub async fn start(words: &[&str]) -> Self {
        let careful = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];
        Self::start_mode(&[&careful, words].concat()).await
    }

    /// Starts an empty one with the settings that it has when nobody changes any.
    pub async fn factory() -> Self {
        Self::start_mode(&[]).await
    }

    /// Starts a Sentinel that watches no server.
    pub async fn sentinel() -> Self {
        Self::start_mode(&["--sentinel"]).await
    }

    async fn start_mode(words: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        // Sentinel needs a configuration file that it may write to; for other modes an empty file
        // changes nothing.
        let file = dir.path().join("redis.conf");
        std::fs::write(
            &file,
            format!("port {port}\nbind 127.0.0.1\ndir {}\n", dir.path().display()),
        )
        .unwrap();
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        let child = spawn(&file, &words);
        let plain = Self { child, url: format!("redis://127.0.0.1:{port}"), port, words, dir };
        plain.answers().await;
        plain
    }

    /// Stops it, which saves its data as its settings say, and starts it again on them.
    pub async fn restart(&mut self) {
        // It ends without an answer.
        let _ = words("SHUTDOWN").exec_async(&mut connect(&self.url).await).await;
        self.child.wait().unwrap();
        self.child = spawn(&self.dir.path().join("redis.conf"), &self.words);
        self.answers().await;
    }

    /// Kills it with SIGKILL, does something to its data, and starts it again on them.
    pub async fn crash(&mut self, meanwhile: impl FnOnce(&Path)) {
        self.kill();
        meanwhile(self.dir.path());
        self.start_again().await;
    }

    /// Kills it with SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on its data, and on the settings that it or a Sentinel wrote down.
    pub async fn start_again(&mut self) {
        self.child = spawn(&self.dir.path().join("redis.conf"), &self.words);
        self.answers().await;
    }

    async fn answers(&self) {
        eventually("an answer of Redis", async || {
            std::net::TcpStream::connect(("127.0.0.1", self.port)).ok()
        })
        .await;
    }

    /// Any command, over a connection of its own.
    pub async fn ask<T: FromRedisValue>(&self, text: &str) -> T {
        words(text).query_async(&mut connect(&self.url).await).await.unwrap()
    }

    /// As [`PlainRedis::ask`], for a server that may be gone.
    pub async fn try_ask<T: FromRedisValue>(&self, text: &str) -> redis::RedisResult<T> {
        let client = redis::Client::open(self.url.as_str())?;
        words(text).query_async(&mut client.get_multiplexed_async_connection().await?).await
    }

    /// As [`PlainRedis::url`], for this user.
    pub fn url_of(&self, user: &str, password: &str) -> String {
        format!("redis://{user}:{password}@127.0.0.1:{}", self.port)
    }
}

fn spawn(file: &Path, words: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    command.arg(file).args(words).stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().unwrap()
}

impl Drop for PlainRedis {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody uses; a Redis Cluster node wants a second one, 10,000 above it.
fn free_port() -> u16 {
    loop {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        if port < 55_000 {
            return port;
        }
    }
}

/// A command from its words.
pub fn words(text: &str) -> Cmd {
    let mut words = text.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    command.arg(words.collect::<Vec<_>>());
    command
}
