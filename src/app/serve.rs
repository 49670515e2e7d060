//! `serve` and `worker`: start order, stop order.

use std::io::Write as _;
use std::pin::{Pin, pin};
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use futures_util::future::join_all;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use super::banner::{DEMO_COUPON, Ready};
use super::loops::Loops;
use super::open_files::{check_worker, shares};
use super::restarted::keep_alive;
use super::signals::told_to_stop;
use super::{Context, Database, Failure};
use crate::auth::{AdminToken, Users};
use crate::config::{Auth, Settings, Switch};
use crate::domain::coupon::{CouponId, Definition, Kind, Supply};
use crate::domain::who::Who;
use crate::http::{self, Services};
use crate::issue::{self, FilterBuilder, Issuer, Shared};
use crate::redis::generation::Life;
use crate::telemetry::metrics;

/// Serves users and admins until a signal stops it ([`told_to_stop`]). Then it finishes the
/// requests that have begun, and persists what was issued.
///
/// # Errors
/// The reason why it could not start.
pub async fn serve(settings: &Settings, demo_tickets: Option<u64>) -> Result<(), Failure> {
    let mut signals = pin!(told_to_stop()?);
    let opened = tokio::select! {
        opened = open_server(settings, demo_tickets) => opened?,
        () = &mut signals => return stopped_early(),
    };
    until_told_to_stop(opened, signals).await
}

async fn open_server(settings: &Settings, demo_tickets: Option<u64>) -> Result<Opened, Failure> {
    let metrics = metrics::install().map_err(Failure::Missing)?;
    let shares = shares(settings)?;
    let context = Context::of_server(settings, Database::MayBeAway).await?;
    let (admin_token, token_text) = context.admin_token()?;
    let mut prover = context.issuing_prover();
    prover.step().await;
    let gauges = context.gauges().await;
    let has_demo = match demo_tickets {
        None => false,
        Some(total) => demo(&context, total).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the demo coupon was not created");
            false
        }),
    };

    let services = services(settings, &context, admin_token, metrics);
    let shared = Shared {
        health: context.health.clone(),
        witnesses: context.witnesses.clone(),
        ..Shared::default()
    };
    let verdicts = shared.verdicts.clone();
    let filters = FilterBuilder::new(&context.redis, verdicts.clone());
    let fallen = CancellationToken::new();
    let issuer = issuer(settings, &context, shared, &fallen);
    let bounds = http_bounds(settings);
    let (public, public_at) =
        http::serve_public(settings.listen, shares, bounds, services.clone(), issuer)
            .map_err(|error| cannot_listen(settings.listen, &error))?;
    let admin_listen = settings.admin_listen;
    let (admin, admin_at) =
        http::serve_admin(admin_listen, Some(public_at), bounds, services.clone())
            .map_err(|error| cannot_listen(admin_listen, &error))?;
    let mut loops =
        Loops::start(settings, &context, prover, gauges, services.metrics, fallen.clone());
    loops.build_filters(filters, verdicts);
    loops.keep_row(context.process_row());
    if settings.persister == Switch::On {
        loops.persist(settings, &context)?;
    }
    let ready = Ready {
        settings,
        public: public_at,
        admin: admin_at,
        admin_token: &token_text,
        dialect: context.store.dialect(),
        durability: durability(&context),
        has_demo,
    };
    let text = ready.text();
    Ok(Opened { context, loops, doors: vec![public, admin], text, fallen })
}

/// Persists, and serves admins, until a signal stops it ([`told_to_stop`]).
///
/// # Errors
/// The reason why it could not start.
pub async fn work(settings: &Settings) -> Result<(), Failure> {
    let mut signals = pin!(told_to_stop()?);
    let opened = tokio::select! {
        opened = open_worker(settings) => opened?,
        () = &mut signals => return stopped_early(),
    };
    until_told_to_stop(opened, signals).await
}

async fn open_worker(settings: &Settings) -> Result<Opened, Failure> {
    let metrics = metrics::install().map_err(Failure::Missing)?;
    check_worker(settings)?;
    let context = Context::of_verb(settings, Database::MayBeAway).await?;
    let (admin_token, _) = context.admin_token()?;
    let services = services(settings, &context, admin_token, metrics);
    let (admin, admin_at) =
        http::serve_admin(settings.admin_listen, None, http_bounds(settings), services.clone())
            .map_err(|error| cannot_listen(settings.admin_listen, &error))?;
    let fallen = CancellationToken::new();
    let (prover, gauges) = (context.prover(), context.gauges().await);
    let metrics = services.metrics;
    let mut loops = Loops::start(settings, &context, prover, gauges, metrics, fallen.clone());
    loops.persist(settings, &context)?;
    let version = env!("CARGO_PKG_VERSION");
    let text = format!("firstcome {version} worker is ready\n\n  admins  http://{admin_at}");
    Ok(Opened { context, loops, doors: vec![admin], text, fallen })
}

/// A process that has started and does not listen yet.
struct Opened {
    context: Context,
    loops: Loops,
    doors: Vec<Server>,
    /// The text that it prints when it is ready.
    text: String,
    fallen: CancellationToken,
}

/// A signal came before the start was complete: nobody was served, and what was begun ends with
/// the process.
fn stopped_early() -> Result<(), Failure> {
    tracing::info!("stopped by a signal before it was ready");
    Ok(())
}

/// Opens the listeners, prints that it is ready, waits for the signal, and stops in reverse order:
/// the listeners, the loops, the context. If a loop or listener ends by itself, the process stops
/// in the same way and says so by its exit code: its supervisor can start it again, and nothing is
/// lost in between.
async fn until_told_to_stop(
    opened: Opened,
    signals: Pin<&mut impl Future<Output = ()>>,
) -> Result<(), Failure> {
    let Opened { mut context, loops, doors, text, fallen } = opened;
    let shutdown = CancellationToken::new();
    let local = context.local.take().map(|local| {
        let (shutdown, alive) = (shutdown.clone(), fallen.clone().drop_guard());
        tokio::spawn(keep_alive(local, shutdown, alive))
    });
    let handles: Vec<ServerHandle> = doors.iter().map(Server::handle).collect();
    for door in doors {
        let alive = fallen.clone().drop_guard();
        tokio::spawn(async move {
            let _alive = alive;
            if let Err(error) = door.await {
                tracing::error!(%error, "a listener ended");
            }
        });
    }
    say(&text);

    let has_fallen = tokio::select! {
        biased;
        () = fallen.cancelled() => true,
        () = signals => false,
    };
    if has_fallen {
        tracing::error!("an internal task stopped unexpectedly: the process shuts down");
    }
    tracing::info!("stopping: no new requests; those that have begun are finished first");
    join_all(handles.iter().map(|handle| handle.stop(true))).await;
    loops.stop().await;
    shutdown.cancel();
    if let Some(local) = local {
        context.local = local.await.ok();
    }
    context.close().await;
    tracing::info!("stopped");
    match has_fallen {
        true => Err(Failure::Fallen),
        false => Ok(()),
    }
}

fn services(
    settings: &Settings,
    context: &Context,
    admin_token: AdminToken,
    metrics: PrometheusHandle,
) -> Services {
    Services {
        preparer: context.preparer.clone(),
        settler: context.settler.clone(),
        observer: context.observer.clone(),
        users: users(settings).into(),
        admin_token,
        metrics,
    }
}

/// Makes an issuer on the thread of the worker that calls it.
fn issuer(
    settings: &Settings,
    context: &Context,
    shared: Shared,
    fallen: &CancellationToken,
) -> impl Fn() -> Issuer + Clone + Send + 'static {
    let bounds = issue::Bounds {
        queue_max_requests: settings.bounds.queue_max_requests as usize,
        group_max_requests: settings.bounds.group_max_requests as usize,
        backlog_max_tickets: settings.bounds.backlog_max_tickets,
        queue_max_wait: settings.bounds.queue_max_wait(),
        reopen_wait: Duration::from_millis(settings.bounds.reopen_wait_ms),
    };
    let (redis, store, keys) = (context.redis.clone(), context.store.clone(), context.keys.clone());
    let fallen = fallen.clone();
    move || {
        let (store, shared, keys) = (store.clone(), shared.clone(), keys.clone());
        Issuer::start(&redis, store, shared, keys, &bounds, fallen.clone().drop_guard())
    }
}

fn users(settings: &Settings) -> Users {
    match settings.auth {
        Auth::Open => Users::Open,
        Auth::Header => Users::Header { trusted_proxies: settings.trusted_proxies.clone() },
    }
}

fn http_bounds(settings: &Settings) -> http::Bounds {
    let keep_alive = Duration::from_millis(settings.bounds.keep_alive_ms);
    http::Bounds { keep_alive, grace: settings.grace() }
}

fn durability(context: &Context) -> String {
    match context.redis.generation().current() {
        Life::Proven(accepted) => accepted.durability.word().to_owned(),
        Life::Doubtful(doubt) => format!("unknown (recovering: {doubt})"),
    }
}

/// Creates and preloads the demo coupon when the database has no coupon at all. Returns whether
/// the demo coupon exists.
async fn demo(context: &Context, total: u64) -> Result<bool, Failure> {
    let Some(id) = CouponId::parse(DEMO_COUPON) else { return Ok(false) };
    let first = context.preparer.list(None, 1).await?;
    if first.is_empty() {
        let definition = Definition {
            id: id.clone(),
            name: "Welcome".to_owned(),
            total,
            per_user_limit: 1,
            opens_at: None,
            closes_at: None,
            valid_for: None,
            kind: Kind::FirstCome,
            supply: Supply::Counter,
        };
        context.preparer.create(definition).await?;
    }
    if context.preparer.find(&id).await.is_err() {
        return Ok(false);
    }
    // Completes a demo coupon that a crash left between create and preload; otherwise changes
    // nothing.
    if let Err(error) = context.preparer.preload(&id, Who::Demo).await {
        tracing::warn!(%error, "the demo coupon is not ready yet");
    }
    Ok(true)
}

/// Prints to standard output; a server goes on when nobody reads it.
fn say(text: &str) {
    let mut output = std::io::stdout().lock();
    if let Err(error) = writeln!(output, "{text}").and_then(|()| output.flush()) {
        tracing::warn!(%error, "nobody reads standard output");
    }
}

fn cannot_listen(address: std::net::SocketAddr, error: &std::io::Error) -> Failure {
    Failure::Missing(format!(
        "cannot listen on {address}: {error}; set another address with FIRSTCOME_LISTEN \
         or FIRSTCOME_ADMIN_LISTEN"
    ))
}
