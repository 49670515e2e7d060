"""Latency over time: winners at a fixed rate, second by second."""

import dataclasses

from . import svg
from .load import Load
from .stage import Setting, Stage
from .targets import CEILING, TOTAL, issued_as_told

SECONDS = 30
SMOKE_SECONDS = 3
RATE_SHARE = 0.5


def measure(folder, options, postgres):
    """(what was seen in each second, the promises that broke). wrk tells no course of time, so each second is
    a run of its own on the same coupon, with new connections."""
    closed = Load(options.seconds, options.connections)
    stage = Stage(folder / "latency", Setting(), closed, postgres.database("latency"), postgres)
    ceiling = CEILING.measure(stage)
    paced = dataclasses.replace(closed, seconds=1, rate=RATE_SHARE * ceiling["per_second"])
    coupon = stage.server.coupon(TOTAL)
    runs = []
    for _ in range(SMOKE_SECONDS if options.smoke else SECONDS):
        runs.append(stage.run([(stage.server.issue_path(coupon), 1)], paced))
    together = {"told": sum(run["told"] for run in runs)}
    issued_as_told(stage, stage.server, [coupon], together, connections=closed.connections * len(runs))
    stage.stop()
    return {"rate": paced.rate, "connections": closed.connections, "runs": runs}, stage.broken


def plot(series):
    keys = {"p50": "p50_ms", "p99": "p99_ms"}
    drawn = {
        name: [(second, run[key]) for second, run in enumerate(series["runs"], 1)] for name, key in keys.items()
    }
    caption = (f"{series['rate']:,.0f} winners a second, {series['connections']} connections, AOF everysec; each "
               "second is a run of wrk of its own, with new connections.")
    return svg.lines("Latency over time", caption, "time, s", "latency, ms", drawn)
