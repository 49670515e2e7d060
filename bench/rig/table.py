"""The table of a set of rounds: a line for each target, medians with their range."""

from . import report
from .load import noise
from .stage import QUIET_CORES

HEADINGS = [
    "target", "req/s", "% of ceiling", "p50 ms", "p99 ms", "p99.9 ms", "server CPU µs/req", "Redis CPU µs/req",
    "PostgreSQL CPU µs/req", "script µs/winner", "script calls/req", "req/script call", "foreign + stolen cores",
]
# A call answers at most 512 requests. Where there are fewer calls for each request than that, they are not what
# answered: the servers have calls of their own, such as the heartbeat.
LEAST_CALLS_OF_A_REQUEST = 1 / 512


def shares(rounds, name):
    return [one[name]["per_second"] / one["ceiling"]["per_second"] for one in rounds]


def lines(rounds, targets, ceiling_rates):
    """`ceiling_rates`: requests a second of each round's ceiling, in a closed loop."""
    rows = []
    for target in targets:
        runs = [one[target.name] for one in rounds]

        def micros(who, runs=runs):
            return [run["cpu"][who] * 1e6 / run["requests"] for run in runs if run["cpu"].get(who) is not None]

        loud = sum((noise(run) or 0) > QUIET_CORES for run in runs)
        asking = [run for run in runs if run["script_calls"] / run["requests"] >= LEAST_CALLS_OF_A_REQUEST]
        winning = [run for run in asking if run.get("issued") and run["error_statuses"] == 0]
        rows.append([
            target.title + (f" ({loud} of {len(runs)} disturbed)" if loud else ""),
            report.spread([run["per_second"] for run in runs], 0),
            report.spread([100 * run["per_second"] / rate for run, rate in zip(runs, ceiling_rates)], 0),
            *(report.spread([run[key] for run in runs]) for key in ("p50_ms", "p99_ms", "p999_ms")),
            *(report.spread(micros(who)) for who in ("server", "redis", "postgres")),
            report.spread([run["script_usec"] / run["issued"] for run in winning], 2),
            report.spread([run["script_calls"] / run["requests"] for run in runs], 4),
            report.spread([run["requests"] / run["script_calls"] for run in asking], 0),
            report.spread([noise(run) for run in runs], 2),
        ])
    return report.table(HEADINGS, rows)
