//! A power cut that leaves half a call at the end of the append-only file (P2 step 6).

use std::io::Write as _;
use std::path::Path;

use firstcome::domain::coupon::CouponId;
use firstcome::redis::keys::Keys;

use crate::support::crowd::Crowd;
use crate::support::exact::assert_exactly;
use crate::support::redis::newest_file;
use crate::support::site::{Dialect, Site};

#[tokio::test]
async fn half_a_call_at_the_end_of_the_file_never_runs_i2_i3_i9() {
    let mut site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[("FIRSTCOME_PERSISTER", "off")]).await;
    server.prepare("summer", 20).await;
    let crowd = Crowd::new(&[&server.public], "summer");
    crowd.rush(0..5).await;
    site.redis.crash_and_restart_with(|files| append(&newest_file(files), &half_a_call())).await;
    let server = server.ready().await;
    // These get the serials of the half, and complete it in a file that is not a new one.
    crowd.rush(5..10).await;
    site.redis.crash_and_restart().await;
    let server = server.ready().await;
    crowd.rush(10..25).await;
    let _persister = site.worker(&[]);
    let told = crowd.told();
    assert_exactly(&server, "summer", 20, &told).await;
}

/// `MULTI`, a ticket's record, and the first bytes of `HSET`.
fn half_a_call() -> Vec<u8> {
    let [_, holders, records, _] = Keys::new("fc").of_coupon(&CouponId::parse("summer").unwrap());
    let record = "1 summer 1 6 1 issue\n\nsomebody";
    let id = format!("{}-0", firstcome::app::now().0);
    let add = redis::cmd("XADD").arg(records).arg(id).arg("tickets").arg(record).take();
    let hold = redis::cmd("HSET").arg(holders).arg("somebody").arg("6:UCkubJ").take();
    let hold = hold.get_packed_command();
    [redis::cmd("MULTI").get_packed_command(), add.get_packed_command(), hold[..30].to_vec()]
        .concat()
}

fn append(file: &Path, bytes: &[u8]) {
    std::fs::File::options().append(true).open(file).unwrap().write_all(bytes).unwrap();
}
