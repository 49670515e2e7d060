//! The private Redis of the embedded set-up, and one that is given by its URL.

mod given;
mod hot;
mod local;
mod refusals;
mod rights;
mod tls;
mod unsupported;

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands as _, AsyncConnectionConfig};

const KEYS: u32 = 100;

/// A connection that is patient: a disk shared with other tests may take its time to sync.
async fn connect(url: &str) -> MultiplexedConnection {
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(30)));
    let client = redis::Client::open(url).unwrap();
    client.get_multiplexed_async_connection_with_config(&config).await.unwrap()
}

/// Writes keys one by one, so that each is an acknowledged write of its own.
async fn write_keys(url: &str) {
    let mut connection = connect(url).await;
    for number in 0..KEYS {
        let () = connection.set(format!("key{number}"), number).await.unwrap();
    }
}

async fn assert_all_keys(url: &str) {
    let mut connection = connect(url).await;
    for number in 0..KEYS {
        let kept: Option<u32> = connection.get(format!("key{number}")).await.unwrap();
        assert_eq!(kept, Some(number));
    }
}

async fn pid_of_redis(url: &str) -> u32 {
    let told: String =
        redis::cmd("INFO").arg("server").query_async(&mut connect(url).await).await.unwrap();
    let line = told.lines().find_map(|line| line.strip_prefix("process_id:"));
    line.unwrap().trim().parse().unwrap()
}
