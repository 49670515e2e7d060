//! SIGTERM under load: no request that had begun fails, and every issued ticket is a row.

use firstcome::domain::coupon::CouponId;
use firstcome::embedded::LocalRedis;
use firstcome::embedded::secrets;

use crate::support::crowd::Crowd;
use crate::support::eventually::eventually_holds;
use crate::support::exact::assert_kept;
use crate::support::line::Cut;
use crate::support::processes::{group_of, living_in_group};
use crate::support::redis::info_of;
use crate::support::server::Server;
use crate::support::store::open;

const TOTAL: usize = 100_000;

#[tokio::test]
async fn sigterm_under_load_tears_no_answer_and_leaves_every_ticket_told_a_row_i3() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::start(dir.path(), &[]).await.ready().await;
    server.prepare("summer", TOTAL as u64).await;
    let url = LocalRedis::attach(dir.path()).await.unwrap();
    let group = group_of(info_of(&url, "process_id").await.parse().unwrap());
    let address = server.public.clone();
    let crowd = Crowd::new(&[&address], "summer");
    let stop = async {
        eventually_holds("some winners", async || crowd.winners() > 500).await;
        server.terminate();
        server.ended().await
    };
    let (cuts, status) = tokio::join!(crowd.rush_until_cut(0..TOTAL), stop);
    assert_eq!(status.code(), Some(0));
    assert!(!cuts.is_empty() && !cuts.contains(&Cut::Torn), "{cuts:?}");
    assert_eq!(living_in_group(group), 0, "its Redis is gone");

    let told = crowd.told();
    let url = secrets::database_url(dir.path()).unwrap();
    let rows = open(&url, 2).await.unwrap();
    let counts = rows.counts(&CouponId::parse("summer").unwrap()).await.unwrap();
    rows.close().await;
    assert_eq!(counts.rows, told.tickets.len() as u64, "told and nobody else, before the exit");
    let server = Server::start(dir.path(), &[]).await.ready().await;
    assert_kept(&server, "summer", &told).await;
}
