"""`bench/run`: every target in interleaved rounds, the table, the bounds, the bars."""

import statistics

from . import bounds, report, svg, table
from .children import scratch
from .load import Load
from .postgres import Postgres, owner
from .rounds import measure_round
from .stage import QUIET_CORES, REPEATS, WORKERS, Patience
from .targets import COUPONS, HOLDERS, OF_A_ROUND, SOLD_OUT_TOTAL

REPEATS_MOST_SECONDS = 120


def measure(options):
    """True when no promise broke and no bound was missed."""
    load, patience = Load(options.seconds, options.connections), Patience(0 if options.smoke else REPEATS_MOST_SECONDS)
    rounds, broken = [], []
    with scratch(owner()) as folder:
        postgres = Postgres(folder / "postgres")
        for number in range(1, options.rounds + 1):
            measured, problems = measure_round(folder, f"round{number}", OF_A_ROUND, load, postgres, patience)
            rounds.append(measured)
            broken += problems
        postgres.stop()
    verdicts = bounds.judge(rounds)
    passed = not broken and all(verdict["kept"] for verdict in verdicts)
    figures = {"passed": passed, "bounds": verdicts, "broken": broken, "rounds": rounds}
    report.keep("run", options, "Issuing against the constant reply and the usual designs",
                _body(rounds, verdicts, broken, options), figures, {"": _bars(rounds)}, postgres=postgres.version)
    return passed


def _body(rounds, verdicts, broken, options):
    drains = [one["winners_persisted"]["drain_seconds"] for one in rounds]
    backlogs = [one["winners_persisted"]["backlog_most_tickets"] for one in rounds]
    return "\n".join([
        f"Median (range) of {len(rounds)} interleaved rounds, {options.seconds} s a run, closed loop, "
        f"{options.connections} connections, {WORKERS} actix workers (two server processes: one each), AOF everysec "
        "and persister off where nothing else is said, log level warn; generator, servers and databases share the "
        f"machine. Every request is a new user, but {HOLDERS:,} holders ask again in the replays. What is sold out "
        f"had {SOLD_OUT_TOTAL:,} tickets; of {COUPONS} coupons each is asked for in turn. A run with more than "
        f"{QUIET_CORES} core of foreign or stolen time is repeated, at most {REPEATS} runs and "
        f"{REPEATS_MOST_SECONDS} s of repeats in all; if none is quiet the least disturbed one counts and is marked.",
        "", table.lines(rounds, OF_A_ROUND, [one["ceiling"]["per_second"] for one in rounds]), "",
        f"Persister on PostgreSQL: the backlog was at most {report.spread(backlogs, 0)} tickets, and empty "
        f"{report.spread(drains, 2)} s after the end of the load.", "",
        *[f"- {verdict['line']}" for verdict in verdicts],
        *report.promises(broken),
    ])


def _bars(rounds):
    rows = []
    for target in OF_A_ROUND:
        percent = [100 * share for share in table.shares(rounds, target.name)]
        rows.append((target.title.replace("`", ""), statistics.median(percent), min(percent), max(percent)))
    return svg.bars("Share of the ceiling", f"Median and range of {len(rounds)} rounds; the ceiling is the constant "
                    "reply of the same round.", "requests a second, % of the ceiling", rows)
