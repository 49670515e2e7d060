"""`bench/run --full`: connections, levels of the append-only file, closed loop and fixed rate; the latency
over time; the journeys in k6."""

import dataclasses
import os
import statistics
import subprocess

from . import latency, report, svg, table
from .children import scratch
from .load import Load
from .postgres import Postgres, owner
from .rounds import measure_round
from .server import ROOT
from .stage import QUIET_CORES, WORKERS, Patience
from .targets import CEILING, OF_THE_MATRIX

CONNECTIONS = [64, 256, 1_024, 3_000]
LEVELS = ["everysec", "always", "none"]
RATE_SHARE = 0.5
REPEATS_MOST_SECONDS = 900
LOOPS = {"closed": "closed loop", "paced": f"fixed rate, {100 * RATE_SHARE:.0f} % of the ceiling"}


def _at(target, level):
    title = f"{target.title}, AOF {level}" if level != "none" else f"{target.title}, no AOF"
    return dataclasses.replace(target, name=f"{target.name}_{level}", title=title,
                               setting=dataclasses.replace(target.setting, appendfsync=level))


TARGETS = [CEILING, *(_at(target, level) for level in LEVELS for target in OF_THE_MATRIX)]


def measure(options):
    """True when no promise broke."""
    patience = Patience(0 if options.smoke else REPEATS_MOST_SECONDS)
    connections = CONNECTIONS[::3] if options.smoke else CONNECTIONS
    # (connections, loop) -> rounds
    cells = {(count, loop): [] for count in connections for loop in LOOPS}
    broken = []
    with scratch(owner()) as folder:
        postgres = Postgres(folder / "postgres")
        for number in range(1, options.rounds + 1):
            for count in connections:
                rate = None
                for loop in LOOPS:
                    load = Load(options.seconds, count, rate)
                    name = f"round{number}_{count}_{loop}"
                    measured, problems = measure_round(folder, name, TARGETS, load, postgres, patience)
                    cells[count, loop].append(measured)
                    broken += problems
                    rate = RATE_SHARE * measured["ceiling"]["per_second"]
        series, problems = latency.measure(folder, options, postgres)
        broken += problems
        postgres.stop()
    broken += _journeys(options)
    figures = {
        "passed": not broken,
        "broken": broken,
        "cells": [{"connections": count, "loop": loop, "rounds": rounds} for (count, loop), rounds in cells.items()],
        "latency": series,
    }
    plots = {"-connections": _against_connections(cells), "-latency": latency.plot(series)}
    report.keep("full", options, "The whole matrix", _body(cells, broken, options), figures, plots,
                postgres=postgres.version)
    return not broken


def _journeys(options):
    """bench/k6 keeps results of its own."""
    env = {**os.environ, "FAST": "yes" if options.smoke else "no"}
    kept = subprocess.run([ROOT / "bench/k6/run"], env=env).returncode == 0
    return [] if kept else ["the journeys in k6"]


def _body(cells, broken, options):
    text = [
        f"Median (range) of {options.rounds} interleaved rounds, {options.seconds} s a run, {WORKERS} actix workers (two "
        "server processes: one each), persister off; generator, servers and databases share the machine. The share "
        "is that of the ceiling in the closed loop of the same round and connections. A run with more than "
        f"{QUIET_CORES} core of foreign or stolen time is repeated, for {REPEATS_MOST_SECONDS} s in all.", "",
    ]
    for (count, loop), rounds in cells.items():
        rates = [one["ceiling"]["per_second"] for one in cells[count, "closed"]]
        text += [f"## {count:,} connections, {LOOPS[loop]}", "", table.lines(rounds, TARGETS, rates), ""]
    return "\n".join([*text, *report.promises(broken)])


def _against_connections(cells):
    shown = [target for target in TARGETS if target.setting.appendfsync == "everysec"]
    shown += [target for target in TARGETS if target.name in ("winners_always", "winners_none")]
    series = {
        target.title.replace("`", "").replace(", AOF everysec", ""): [
            (count, statistics.median(one[target.name]["per_second"] for one in rounds))
            for (count, loop), rounds in cells.items() if loop == "closed"
        ]
        for target in shown
    }
    return svg.lines("Throughput against connections", "Closed loop, medians; AOF everysec where nothing else is said.",
                     "connections", "requests a second", series, evenly=True)
