//! Changes of Redis that lose nothing: users do not notice them (P2 steps 2 and 5).

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::support::crowd::Crowd;
use crate::support::eventually::eventually_holds;
use crate::support::exact::assert_exactly;
use crate::support::site::{Dialect, Site};

#[tokio::test]
async fn a_first_replica_changes_the_generation_in_place_and_no_request_fails_i1_i2() {
    let site = Site::start(Dialect::Sqlite).await;
    // How long a proof takes on a busy machine is not the question here.
    let server = site.server(&[("FIRSTCOME_REOPEN_WAIT_MS", "5000")]).await;
    server.prepare("summer", 600).await;
    let before = site.redis.accepted().await;
    let crowd = Crowd::new(&[&server.public], "summer");
    let attach = async {
        eventually_holds("some winners", async || crowd.winners() > 100).await;
        // What a replica says first; it is enough to make Redis one with replicas.
        let path = site.redis.url().strip_prefix("redis+unix://").unwrap();
        let mut replica = UnixStream::connect(path).await.unwrap();
        replica.write_all(b"PSYNC ? -1\r\n").await.unwrap();
        let mut reply = [0; 12];
        replica.read_exact(&mut reply).await.unwrap();
        assert_eq!(&reply, b"+FULLRESYNC ");
        replica
    };
    let ((), _replica) = tokio::join!(crowd.rush(0..900), attach);
    let after = site.redis.accepted().await;
    assert_eq!(before.run_id, after.run_id);
    assert_ne!(before.replid, after.replid, "the generation changed in place");
    let told = crowd.told();
    assert!(told.interruptions.is_empty(), "{:?}", told.interruptions);
    assert_exactly(&server, "summer", 600, &told).await;
}
