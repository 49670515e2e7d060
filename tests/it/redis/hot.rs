//! The connection of the hot path, from one to the next.

use std::time::Duration;

use firstcome::redis::hot;

use crate::support::redis::PrivateRedis;

#[tokio::test]
async fn a_connection_that_was_given_back_is_never_open_again_also_when_its_answer_comes_late() {
    let private = PrivateRedis::start().await;
    let (mut connection, mut supervisor) = hot::supervised(private.redis.clone());
    let limit = Duration::from_secs(30);
    let walk = async {
        let first = connection.open_within(limit).await.unwrap();
        assert!(connection.is_open(&first));
        connection.lose();
        assert!(!connection.is_open(&first) && connection.open().is_none());
        let second = connection.open_within(limit).await.unwrap();
        assert!(connection.is_open(&second) && !connection.is_open(&first));
    };
    let keep_open = async {
        loop {
            supervisor.step().await;
        }
    };
    tokio::select! {
        () = walk => {}
        () = keep_open => {}
    }
}
