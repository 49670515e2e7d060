"""Variants of the server against each other, in interleaved rounds: how a decision is made, and its loser kept."""

import pathlib
import statistics

from . import report
from .children import scratch
from .load import Load, noise
from .postgres import Postgres, owner
from .stage import QUIET_CORES, Patience, Setting, Stage
from .targets import OF_A_COMPARISON

TARGETS = ("ceiling", "winners", "replays", "sold_out", "mixed", "ten_coupons", "coupons_48")


def variants(words):
    """`NAME`, `NAME:VARIABLE=VALUE,…`; the variable SERVER_BIN is another binary."""
    named = {}
    for word in words:
        name, _, rest = word.partition(":")
        if name in named:
            raise SystemExit(f"the variant {name} stands twice")
        named[name] = dict(pair.split("=", 1) for pair in rest.split(",") if pair)
    return named


def measure(options):
    """True when no promise broke; which variant is better is for the reader to say."""
    title, *words = options.compare
    load, patience = Load(options.seconds, options.connections), Patience(0 if options.smoke else 120)
    targets = [target for target in OF_A_COMPARISON if target.name in TARGETS]
    stages, broken = {}, []
    with scratch(owner()) as folder:
        postgres = Postgres(folder / "postgres")
        for place, (name, variables) in enumerate(variants(words).items()):
            stage_name = f"compare{place}"
            database = postgres.database(stage_name)
            stages[name] = Stage(folder / stage_name, Setting(), load, database, postgres, variables)
        rounds = {name: [{} for _ in range(options.rounds)] for name in stages}
        # The variants follow each other at once, each second round backwards: what drifts meets all of them. The
        # price is that a Redis keeps the tickets of all rounds, and what it does about them by itself is noise.
        for number in range(options.rounds):
            for target in targets:
                for name in list(stages)[:: -1 if number % 2 else 1]:
                    rounds[name][number][target.name] = stages[name].measure(target, patience)
        for stage in stages.values():
            stage.stop()
            broken += stage.broken
        postgres.stop()
    rows = [_row(target, name, rounds) for target in targets for name in stages]
    said = ", ".join(f"`{pathlib.PurePath(word).name if '/' in word else word}`" for word in words)
    body = "\n".join([
        f"Variants {said}: median (range) of {options.rounds} interleaved rounds on servers that stay up, "
        f"{options.seconds} s a run, {options.connections} connections, AOF everysec, persister off. \"Times\" is "
        f"the variant against the first one in the same round: median (quartiles). A run with more than {QUIET_CORES} "
        "core of foreign or stolen time is repeated.",
        "", report.table(HEADINGS, rows), "", *report.promises(broken),
    ])
    slug = "-".join(title.lower().split())
    report.keep(f"compare-{slug}", options, title, body,
                {"medians": {name: {target.name: statistics.median(one[target.name]["per_second"] for one in ones)
                                    for target in targets} for name, ones in rounds.items()},
                 "rounds": rounds, "broken": broken, "passed": not broken})
    return not broken


HEADINGS = ["target", "variant", "req/s", "req/s, times", "server CPU µs/req", "server CPU, times",
            "Redis CPU µs/req", "script µs/winner", "p99 ms", "foreign + stolen cores"]


def _row(target, name, rounds):
    def micros(run, who):
        seconds = run["cpu"][who]
        return None if seconds is None else seconds * 1e6 / run["requests"]

    runs = [one[target.name] for one in rounds[name]]
    firsts = [one[target.name] for one in next(iter(rounds.values()))]
    winning = [run["script_usec"] / run["issued"] for run in runs if run.get("issued") and not run["error_statuses"]]
    return [
        target.title, name,
        report.spread([run["per_second"] for run in runs], 0),
        report.times([run["per_second"] for run in runs], [run["per_second"] for run in firsts]),
        report.spread([micros(run, "server") for run in runs]),
        report.times([micros(run, "server") for run in runs], [micros(run, "server") for run in firsts]),
        report.spread([micros(run, "redis") for run in runs]),
        report.spread(winning, 2),
        report.spread([run["p99_ms"] for run in runs]),
        report.spread([noise(run) for run in runs], 2),
    ]
