//! A master, two replicas, and a Sentinel that promotes one of them when the master is gone.

use super::eventually::{eventually, eventually_holds};
use super::plain_redis::PlainRedis;

/// The Redis servers that a Sentinel watches under the name `tickets`.
pub struct Watched {
    /// The first one was the first master.
    pub servers: Vec<PlainRedis>,
    sentinel: PlainRedis,
}

impl Watched {
    /// Starts them, and waits until the Sentinel knows all.
    pub async fn start() -> Self {
        let settings = [
            "--min-replicas-to-write",
            "1",
            "--repl-diskless-sync-delay",
            "0",
            "--repl-timeout",
            "5",
        ];
        let master = PlainRedis::start(&settings).await;
        let port = master.port.to_string();
        let of_master = ["--replicaof", "127.0.0.1", &port];
        let mut servers = vec![master];
        for _ in 0..2 {
            servers.push(PlainRedis::start(&[&settings[..], &of_master].concat()).await);
        }
        let sentinel = PlainRedis::sentinel().await;
        let () = sentinel.ask(&format!("SENTINEL MONITOR tickets 127.0.0.1 {port} 1")).await;
        for setting in ["down-after-milliseconds 500", "failover-timeout 3000", "parallel-syncs 2"]
        {
            let () = sentinel.ask(&format!("SENTINEL SET tickets {setting}")).await;
        }
        let watched = Self { servers, sentinel };
        watched.is_whole(2).await;
        watched
    }

    /// The URL of the Sentinel.
    pub fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/tickets", self.sentinel.port)
    }

    /// Which of the servers the Sentinel says is the master.
    pub async fn master(&self) -> usize {
        let (_, port): (String, u16) =
            self.sentinel.ask("SENTINEL get-master-addr-by-name tickets").await;
        self.servers.iter().position(|server| server.port == port).unwrap()
    }

    /// Waits until the master has so many replicas that the Sentinel could promote.
    pub async fn is_whole(&self, replicas: usize) {
        let is_whole = async || {
            let master = &self.servers[self.master().await];
            let Ok(told) = master.try_ask::<String>("INFO replication").await else { return false };
            let known: String = match self.sentinel.try_ask("INFO sentinel").await {
                Ok(known) => known,
                Err(_) => return false,
            };
            told.matches("state=online").count() >= replicas
                && known.contains(&format!("slaves={replicas}"))
        };
        eventually_holds("a master with its replicas", is_whole).await;
    }

    /// Lets the Sentinel promote a replica while the master lives.
    pub async fn hand_over(&self) {
        let before = self.master().await;
        let () = self.sentinel.ask("SENTINEL FAILOVER tickets").await;
        self.is_promoted(before).await;
        let follows = async || {
            let told = self.servers[before].try_ask::<String>("INFO replication").await;
            told.is_ok_and(|told| told.contains("role:slave"))
        };
        eventually_holds("the old master to follow", follows).await;
    }

    /// Kills the master, and waits until a replica was promoted. The old master comes back as a
    /// replica.
    pub async fn kill_master(&mut self) {
        let before = self.master().await;
        self.servers[before].kill();
        self.is_promoted(before).await;
        self.servers[before].start_again().await;
    }

    async fn is_promoted(&self, before: usize) {
        eventually("another master", async || (self.master().await != before).then_some(())).await;
    }
}
