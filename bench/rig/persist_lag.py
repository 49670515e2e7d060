"""Issued to row visible, as the server's own histogram tells it, at a fixed rate."""

import re
import sys

from . import report
from .children import scratch
from .load import Load, noise, wrk
from .postgres import Postgres, owner
from .redis import Redis
from .server import Server

METRIC = "firstcome_persist_lag_seconds"
WORKERS = 2
CONNECTIONS = 64
# Up to this rate the first bounds hold, (p50, p99) in seconds; above it the second.
EASY_RATE = 5000
MOST_SECONDS_EASY, MOST_SECONDS_HARD = (0.8, 0.8), (0.05, 0.231)
# Of the server, up to a million tickets.
MOST_MEMORY_MIB = 150


def quantiles(exposition, wanted=(0.5, 0.99)):
    """Of a Prometheus summary as given, of a histogram by interpolation within the bucket."""
    labelled = re.compile(rf"^{METRIC}(_bucket)?\{{(?:[^}}]*,)?(quantile|le)=\"([^\"]+)\"[^}}]*\}} (\S+)", re.M)
    given, buckets = {}, {}
    for _, kind, label, value in labelled.findall(exposition):
        target = given if kind == "quantile" else buckets
        target[float(label)] = target.get(float(label), 0) + float(value)
    if given:
        return {q: given[q] for q in wanted}
    if not buckets or max(buckets.values()) == 0:
        raise SystemExit(f"no {METRIC} on /metrics")
    return {q: _interpolated(sorted(buckets.items()), q) for q in wanted}


def _interpolated(buckets, quantile):
    rank = quantile * buckets[-1][1]
    low, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= rank:
            if bound == float("inf"):
                return bound
            return low + (bound - low) * (rank - below) / max(1, count - below)
        low, below = bound, count
    return float("inf")


def _one(folder, name, database_url, options, processes):
    redis = Redis(folder / f"{name}-redis", options.appendfsync)
    server = Server(folder / f"{name}-server", redis, database_url, True, WORKERS)
    named = {"server": [server.child], "redis": [redis.child], **processes}
    coupon = server.coupon(100_000_000)
    load = Load(options.seconds, CONNECTIONS, options.rate)
    result = wrk([server], [(server.issue_path(coupon), 1)], load, named)
    stats, audit = server.persisted(coupon, seconds=60), server.audit(coupon)
    lag = quantiles(server.administer("GET", "/metrics"))
    _, memory_mib = server.memory_mib()
    told = result["told"]
    problems = [text for text, holds in {
        f"{name}: every request wins": result["error_statuses"] + result["socket_errors"] == 0,
        f"{name}: the rate is kept ({result['per_second']:,.0f}/s)": result["per_second"] >= 0.98 * options.rate,
        f"{name}: issued is what was told, {told}: {stats}": told <= stats["issued"] <= told + CONNECTIONS,
        f"{name}: every ticket issued is a row: {stats}": stats["rows"] == stats["issued"] == stats["holders"],
        f"{name}: the audit balances: {audit}": audit["ok"] is True,
        f"{name}: the server ends when it is asked to": server.stop(),
    }.items() if not holds]
    redis.stop()
    print(f"{name}: p50 {lag[0.5]:.3f} s, p99 {lag[0.99]:.3f} s", file=sys.stderr)
    return {**result, "lag_p50_seconds": lag[0.5], "lag_p99_seconds": lag[0.99], "memory_mib": memory_mib,
            "broken": problems}


def measure(options):
    """True when no promise broke and the lag is below its bounds on each database."""
    with scratch(owner()) as folder:
        postgres = Postgres(folder / "postgres")
        results = {
            "PostgreSQL": _one(folder, "postgres", postgres.database("lag"), options, {"postgres": [postgres.child]}),
        }
        postgres.stop()
        results["SQLite"] = _one(folder, "sqlite", f"sqlite:{folder}/lag.db", options, {})

    def micros(run, who):
        spent = run["cpu"].get(who)
        return "-" if spent is None else f"{spent * 1e6 / run['requests']:.1f}"

    rows = [
        [name, f"{run['per_second']:,.0f}", f"{run['lag_p50_seconds']:.3f}", f"{run['lag_p99_seconds']:.3f}",
         f"{run['p50_ms']:.1f}", f"{run['p99_ms']:.1f}", micros(run, "server"), micros(run, "redis"),
         micros(run, "postgres"), f"{run['told']:,}", f"{run['memory_mib']:.0f}", "-" if noise(run) is None else f"{noise(run):.2f}"]
        for name, run in results.items()
    ]
    headings = ["database", "tickets/s", "lag p50 s", "lag p99 s", "answer p50 ms", "answer p99 ms", "server CPU µs",
                "Redis CPU µs", "PostgreSQL CPU µs", "tickets", "server memory, at most MiB", "foreign + stolen cores"]
    broken = [text for run in results.values() for text in run["broken"]]
    most_p50, most_p99 = MOST_SECONDS_EASY if options.rate <= EASY_RATE else MOST_SECONDS_HARD
    verdicts = {f"{name} p50 below {most_p50} s, p99 below {most_p99} s":
                run["lag_p50_seconds"] < most_p50 and run["lag_p99_seconds"] < most_p99
                for name, run in results.items()}
    memory_mib = max(run["memory_mib"] for run in results.values())
    verdicts[f"the server's memory below {MOST_MEMORY_MIB} MiB ({memory_mib:.0f})"] = memory_mib < MOST_MEMORY_MIB
    body = "\n".join([
        f"Commit time minus `issued_at` from `{METRIC}`, {options.rate:,} tickets/s for {options.seconds} s, AOF "
        f"{options.appendfsync}, {WORKERS} actix workers, {CONNECTIONS} connections, everything on one machine.",
        "", report.table(headings, rows), "",
        *[f"- {'holds' if kept else '**missed**'}: {text}" for text, kept in verdicts.items()],
        *report.promises(broken),
    ])
    passed = all(verdicts.values()) and not broken
    report.keep(f"persist-lag-{options.rate}", options, "From issued to row", body, {"results": results, "passed": passed},
                postgres=postgres.version)
    return passed
