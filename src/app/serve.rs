//! `serve` and `worker`: start order, stop order.

use std::io::Write as _;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::banner::{DEMO_COUPON, Ready};
use super::{Failure, House, now_ms};
use crate::auth::Users;
use crate::config::{Auth, Settings, Switch, open_files};
use crate::domain::coupon::{CouponId, Definition, Kind, Supply};
use crate::http::{self, Services};
use crate::issue::{self, Issuer, UnknownIds};
use crate::observe::Backlog;
use crate::persist::{self, Persister};
use crate::prepare::Relay;
use crate::redis::local::LocalRedis;
use crate::telemetry::metrics;

/// Below this a rush of phones meets the limit before it meets the coupon.
const OPEN_FILES_WARN_BELOW: u64 = 8_192;
/// The longest pause between two starts of a private Redis that keeps dying.
const RESTART_PAUSE_MAX: Duration = Duration::from_secs(10);

/// Serves users and admins until SIGTERM or SIGINT, then ends without failing a request that had
/// begun, and persists what was issued.
///
/// # Errors
/// What kept it from starting.
pub async fn serve(settings: &Settings, with_demo: bool) -> Result<(), Failure> {
    let handle = metrics::install().map_err(Failure::Missing)?;
    let open_files = open_files::raise_open_files();
    if open_files < OPEN_FILES_WARN_BELOW {
        tracing::warn!(open_files, "the limit of open files is low: raise it (ulimit -n)");
    }
    let mut house = House::own(settings).await?;
    let (admin_token, token_text) = house.admin_token()?;
    let mut prover = house.prover();
    prover.step().await;
    let has_demo = with_demo && demo(&house).await?;

    let grace = Duration::from_millis(settings.bounds.shutdown_grace_ms);
    let services = Services {
        preparer: house.preparer.clone(),
        settler: house.settler.clone(),
        observer: house.observer.clone(),
        users: users(settings).into(),
        admin_token,
        keys: house.keys.clone(),
        metrics: handle.clone(),
    };
    let issuer = issuer(settings, &house);
    let workers = workers(settings);
    let (public, public_at) =
        http::serve_public(settings.listen, workers, grace, services.clone(), issuer)
            .map_err(|error| cannot_listen(settings.listen, &error))?;
    let (admin, admin_at) = http::serve_admin(settings.admin_listen, grace, services)
        .map_err(|error| cannot_listen(settings.admin_listen, &error))?;
    let (public_handle, admin_handle) = (public.handle(), admin.handle());

    let loops = TaskTracker::new();
    let shutdown = CancellationToken::new();
    loops.spawn(prover.run(shutdown.clone()));
    loops.spawn(Relay::new(&house.preparer).run(shutdown.clone()));
    loops.spawn(Backlog::new(&house.redis).run(shutdown.clone()));
    loops.spawn(render_now_and_then(handle, shutdown.clone()));
    if settings.persister == Switch::On {
        loops.spawn(persister(settings, &house)?.run(shutdown.clone(), grace));
    }
    let local = house.local.take().map(|local| tokio::spawn(keep_alive(local, shutdown.clone())));
    tokio::spawn(public);
    tokio::spawn(admin);

    let ready = Ready {
        settings,
        public: public_at,
        admin: admin_at,
        admin_token: &token_text,
        dialect: house.store.dialect(),
        durability: durability(&house),
        has_demo,
    };
    say(&ready.text());

    told_to_stop().await?;
    tracing::info!("stopping: no new requests; those that have begun end first");
    public_handle.stop(true).await;
    admin_handle.stop(true).await;
    shutdown.cancel();
    loops.close();
    loops.wait().await;
    if let Some(local) = local {
        house.local = local.await.ok();
    }
    house.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Persists until SIGTERM or SIGINT.
///
/// # Errors
/// What kept it from starting.
pub async fn work(settings: &Settings) -> Result<(), Failure> {
    let house = House::visit(settings).await?;
    let grace = Duration::from_millis(settings.bounds.shutdown_grace_ms);
    let loops = TaskTracker::new();
    let shutdown = CancellationToken::new();
    loops.spawn(house.prover().run(shutdown.clone()));
    loops.spawn(Relay::new(&house.preparer).run(shutdown.clone()));
    loops.spawn(persister(settings, &house)?.run(shutdown.clone(), grace));
    say(&format!("firstcome {} worker is ready", env!("CARGO_PKG_VERSION")));
    told_to_stop().await?;
    shutdown.cancel();
    loops.close();
    loops.wait().await;
    house.close().await;
    Ok(())
}

/// Makes an issuer on the worker's thread that calls it.
fn issuer(settings: &Settings, house: &House) -> impl Fn() -> Issuer + Clone + Send + 'static {
    let bounds = issue::Bounds {
        queue_max_requests: settings.bounds.queue_max_requests as usize,
        group_max_requests: settings.bounds.group_max_requests as usize,
        backlog_max_tickets: settings.bounds.backlog_max_tickets,
        reopen_wait: Duration::from_millis(settings.bounds.reopen_wait_ms),
    };
    let (redis, store, keys) = (house.redis.clone(), house.store.clone(), house.keys.clone());
    let unknown_ids = UnknownIds::default();
    move || Issuer::start(&redis, store.clone(), unknown_ids.clone(), keys.clone(), &bounds)
}

fn persister(settings: &Settings, house: &House) -> Result<Persister, Failure> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| Failure::Missing(error.to_string()))?;
    let consumer = format!("{}-{}", std::process::id(), crate::domain::code::hex(&bytes));
    let bounds = persist::Bounds {
        batch_max_tickets: settings.bounds.batch_max_tickets as usize,
        batch_max_age: Duration::from_millis(settings.bounds.batch_max_age_ms),
        ..persist::Bounds::default()
    };
    Ok(Persister::new(&house.redis, house.store.clone(), &consumer, bounds, now_ms))
}

fn users(settings: &Settings) -> Users {
    match settings.auth {
        Auth::Open => Users::Open,
        Auth::Header => Users::Header { trusted_proxies: settings.trusted_proxies.clone() },
    }
}

fn workers(settings: &Settings) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    settings.bounds.workers.map_or(cores, usize::from)
}

fn durability(house: &House) -> String {
    match house.redis.generation().current() {
        Ok(accepted) => accepted.durability.word().to_owned(),
        Err(reason) => format!("unknown (recovering: {reason})"),
    }
}

/// Creates and preloads the demo's coupon when the database has no coupon at all. Says whether the
/// demo's coupon is there.
async fn demo(house: &House) -> Result<bool, Failure> {
    let Some(id) = CouponId::parse(DEMO_COUPON) else { return Ok(false) };
    let first = house.preparer.list(None, 1).await?;
    if first.is_empty() {
        let definition = Definition {
            id: id.clone(),
            name: "Welcome".to_owned(),
            total: 100,
            per_user_limit: 1,
            opens_at: None,
            closes_at: None,
            valid_for: None,
            kind: Kind::FirstCome,
            supply: Supply::Counter,
        };
        house.preparer.create(definition).await?;
    }
    if house.preparer.find(&id).await.is_err() {
        return Ok(false);
    }
    // A crash between creating and preloading is finished here; done before, it changes nothing.
    if let Err(error) = house.preparer.preload(&id, "demo").await {
        tracing::warn!(%error, "the demo's coupon is not ready yet");
    }
    Ok(true)
}

/// Starts the private Redis again on its data whenever it dies, with a growing pause, until
/// shutdown.
async fn keep_alive(mut local: LocalRedis, shutdown: CancellationToken) -> LocalRedis {
    let mut pause = Duration::from_millis(100);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return local,
            _ = local.wait() => tracing::error!("the private Redis died; it is started again"),
        }
        while let Err(error) = local.restart().await {
            tracing::error!(%error, "the private Redis does not start");
            tokio::select! {
                () = shutdown.cancelled() => return local,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(RESTART_PAUSE_MAX),
            }
        }
        pause = Duration::from_millis(100);
    }
}

/// Histograms keep every value until somebody looks; without a scraper nobody does.
async fn render_now_and_then(
    handle: metrics_exporter_prometheus::PrometheusHandle,
    shutdown: CancellationToken,
) {
    while !shutdown.is_cancelled() {
        handle.run_upkeep();
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// To whoever reads standard output; a server goes on when nobody does.
fn say(text: &str) {
    let mut output = std::io::stdout().lock();
    if let Err(error) = writeln!(output, "{text}").and_then(|()| output.flush()) {
        tracing::warn!(%error, "nobody reads standard output");
    }
}

async fn told_to_stop() -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn cannot_listen(address: std::net::SocketAddr, error: &std::io::Error) -> Failure {
    Failure::Missing(format!("cannot listen on {address}: {error}"))
}
