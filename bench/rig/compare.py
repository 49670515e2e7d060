"""Variants of the server against each other, in interleaved rounds: how a decision is made, and its loser kept."""

import pathlib
import statistics

from . import report, table
from .children import scratch
from .load import Load, noise
from .postgres import Postgres, owner
from .stage import QUIET_CORES, Patience, Setting, Stage
from .targets import OF_A_ROUND

TARGETS = ("ceiling", "winners", "replays", "sold_out")


def variants(words):
    """`NAME`, `NAME:VARIABLE=VALUE,…`; the variable SERVER_BIN is another binary."""
    for word in words:
        name, _, rest = word.partition(":")
        yield name, dict(pair.split("=", 1) for pair in rest.split(",") if pair)


def measure(options):
    """True when no promise broke; which variant is better is for the reader to say."""
    title, *words = options.compare
    load, patience = Load(options.seconds, options.connections), Patience(0 if options.smoke else 120)
    targets = [target for target in OF_A_ROUND if target.name in TARGETS]
    rounds, broken = {name: [] for name, _ in variants(words)}, []
    with scratch(owner()) as folder:
        postgres = Postgres(folder / "postgres")
        for number in range(options.rounds):
            for place, (name, variables) in enumerate(variants(words)):
                stage_name = f"compare{number}_{place}"
                database = postgres.database(stage_name)
                stage = Stage(folder / stage_name, Setting(), load, database, postgres, variables)
                rounds[name].append({target.name: stage.measure(target, patience) for target in targets})
                stage.stop()
                broken += stage.broken
        postgres.stop()
    rows = []
    for target in targets:
        for name, ones in rounds.items():
            runs = [one[target.name] for one in ones]
            micros = {who: [run["cpu"][who] * 1e6 / run["requests"] for run in runs if run["cpu"][who] is not None]
                      for who in ("server", "redis")}
            winning = [run["script_usec"] / run["issued"] for run in runs if run.get("issued") and not run["error_statuses"]]
            rows.append([
                target.title, name, report.spread([run["per_second"] for run in runs], 0),
                report.spread([100 * share for share in table.shares(ones, target.name)], 0),
                report.spread([run["p99_ms"] for run in runs]), report.spread(micros["server"]),
                report.spread(micros["redis"]), report.spread(winning, 2),
                report.spread([noise(run) for run in runs], 2),
            ])
    headings = ["target", "variant", "req/s", "% of its ceiling", "p99 ms", "server CPU µs/req", "Redis CPU µs/req",
                "script µs/winner", "foreign + stolen cores"]
    said = ", ".join(f"`{pathlib.PurePath(word).name if '/' in word else word}`" for word in words)
    body = "\n".join([
        f"Variants {said}: median (range) of {options.rounds} interleaved rounds, {options.seconds} s a run, "
        f"{options.connections} connections, AOF everysec, persister off. A run with more than {QUIET_CORES} core of "
        "foreign or stolen time is repeated.",
        "", report.table(headings, rows), "", *report.promises(broken),
    ])
    slug = "-".join(title.lower().split())
    report.keep(f"compare-{slug}", options, title, body,
                {"medians": {name: {target.name: statistics.median(one[target.name]["per_second"] for one in ones)
                                    for target in targets} for name, ones in rounds.items()},
                 "rounds": rounds, "broken": broken, "passed": not broken})
    return not broken
