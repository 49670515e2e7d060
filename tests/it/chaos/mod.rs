//! Chaos: three servers, PostgreSQL and one Redis under a crowd that asks again and admins who
//! change their minds, while everything is killed, stopped, cut and restarted.
//!
//! Afterwards nothing told is lost, doubled, over-issued or contested. It runs for a short while
//! among the other tests, and for as long as FIRSTCOME_CHAOS_SECONDS says (`make chaos`: four
//! minutes). FIRSTCOME_CHAOS_SEED repeats the sequence of its faults, FIRSTCOME_CHAOS_PART takes
//! those of one part only, and FIRSTCOME_CHAOS_RESULTS names a file for its [`counts`]. Another
//! test of each part has each of its faults once ([`short`]). What was asked and told is written
//! down ([`history`]), and then compared with both stores ([`checker`]).

mod admins;
mod aof;
mod checker;
mod counts;
mod crowd;
mod faults;
mod history;
mod kept;
mod part;
mod persister;
mod planted;
mod points;
mod random;
mod recoverer;
mod short;
mod wires;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use admins::Admins;
use counts::Counts;
use crowd::Crowd;
use faults::Faults;
use history::{History, Told};
use kept::Kept;
use part::Part;
use random::Random;

use crate::support::redis::PrivateRedis;
use crate::support::server::Server;

/// The coupon that everybody wants.
const COUPON: &str = "summer";
/// Its tickets at the beginning; admins add more.
const TOTAL: u64 = 2_000;
/// Those who ask at once.
const CLIENTS: usize = 48;

fn number_from(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_stops_cuts_and_restocks_on_three_servers_break_no_promise_i1_i2_i3_i5_i9_i10() {
    let lasts = Duration::from_secs(number_from("FIRSTCOME_CHAOS_SECONDS").unwrap_or(20));
    let seed = number_from("FIRSTCOME_CHAOS_SEED").unwrap_or_else(random::seed);
    let part = std::env::var("FIRSTCOME_CHAOS_PART").ok();
    let part = Part::named(part.as_deref());
    check(part, seed, async |faults| faults.run(lasts).await).await;
}

/// A crowd and admins ask while these faults happen; afterwards every promise was kept.
async fn check(part: Part, seed: u64, happen: impl AsyncFnOnce(&mut Faults)) {
    println!("FIRSTCOME_CHAOS_SEED={seed} {part:?}");
    let mut faults = Faults::start(part, Random::new(seed)).await;
    faults.any_server().prepare(COUPON, TOTAL).await;
    let history = Arc::new(History::begin());

    let end = CancellationToken::new();
    let mut tasks = Vec::new();
    for number in 0..CLIENTS {
        let random = Random::new(seed ^ (number as u64 + 1));
        let crowd = Crowd::new(faults.addresses(), history.clone(), random);
        tasks.push(tokio::spawn(crowd.run(end.clone())));
    }
    let admins = Admins::new(faults.addresses(), history.clone(), Random::new(seed ^ 0xad));
    tasks.push(tokio::spawn(admins.run(end.clone())));

    happen(&mut faults).await;
    end.cancel();
    for task in tasks {
        task.await.unwrap();
    }
    let lasted = history.now();
    faults.all_well().await;
    let kept = Kept::read(faults.any_server(), faults.redis(), COUPON, TOTAL).await;
    let calls = history.calls();
    let broken = checker::broken(&calls, &kept);
    let counts = Counts {
        seed,
        part,
        lasted,
        faults: faults.done(),
        calls: &calls,
        broken: &broken,
        cut_replies: faults.wires().cut_replies(),
        cut_behind: faults.wires().cut_behind(),
        withheld: kept.withheld,
    };
    println!("{counts}");
    if let Some(file) = std::env::var_os("FIRSTCOME_CHAOS_RESULTS").filter(|file| !file.is_empty())
    {
        counts.keep(Path::new(&file));
    }
    assert!(broken.is_empty(), "{} broken: {:#?}", broken.len(), &broken[..broken.len().min(20)]);
    assert!(calls.iter().any(|call| matches!(call.told, Told::Ticket(_))), "nobody won anything");
}

/// Compares what users of this coupon, with its total at first, were told with both stores. The
/// line of counts begins with these words.
async fn judge(
    line: &str,
    history: &History,
    server: &Server,
    redis: &PrivateRedis,
    (coupon, total): (&str, u64),
) -> Kept {
    let kept = Kept::read(server, redis, coupon, total).await;
    let calls = history.calls();
    let broken = checker::broken(&calls, &kept);
    let told = calls.iter().filter(|call| matches!(call.told, Told::Ticket(_))).count();
    let (seconds, rows) = (history.now().as_secs(), kept.rows.len());
    println!("{line} seconds={seconds} told={told} rows={rows} broken={}", broken.len());
    assert!(broken.is_empty(), "{} broken: {:#?}", broken.len(), &broken[..broken.len().min(20)]);
    assert!(told > 0, "nobody won anything");
    kept
}
