"""What the table must reach, in the median of the rounds."""

import dataclasses
import operator
import statistics
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Bound:
    text: str
    kept: Callable
    limit: float
    figure: Callable


def _per_second(name, other):
    return lambda one: one[name]["per_second"] / one[other]["per_second"]


def _server_cpu(one):
    def each(name):
        spent = one[name]["cpu"]["server"]
        return None if spent is None else spent / one[name]["requests"]
    return None if each("ceiling") is None else each("winners") / each("ceiling")


def _script_usec(one):
    return one["winners"]["script_usec"] / one["winners"]["issued"]


def _refusal_calls(one):
    return one["sold_out"]["script_calls"] / one["sold_out"]["requests"]


AT_LEAST, AT_MOST = operator.ge, operator.le
BOUNDS = [
    Bound("winners, share of the ceiling", AT_LEAST, 0.66, _per_second("winners", "ceiling")),
    Bound("sold out, share of the ceiling", AT_LEAST, 0.92, _per_second("sold_out", "ceiling")),
    Bound("replays, share of the ceiling", AT_LEAST, 0.66, _per_second("replays", "ceiling")),
    Bound("1 winner : 99 sold out, share of the ceiling", AT_LEAST, 0.85, _per_second("mixed", "ceiling")),
    Bound("server CPU of a winner, times the ceiling's", AT_MOST, 1.3, _server_cpu),
    Bound("Redis script µs per winner", AT_MOST, 2.5, _script_usec),
    Bound("script calls per sold-out answer", AT_MOST, 0.01, _refusal_calls),
    Bound("winners with the persister, share of winners without", AT_LEAST, 0.60,
          _per_second("winners_persisted", "winners")),
    Bound("winners with AOF always, share of winners without AOF", AT_LEAST, 0.60,
          _per_second("winners_always", "winners_none")),
    Bound("winners, times a script call each", AT_LEAST, 3, _per_second("winners", "naive_pool")),
    Bound("winners, times an insert each", AT_LEAST, 20, _per_second("winners", "naive_insert")),
]


def judge(rounds):
    """For each bound a line, the figure and whether it is kept; a figure that cannot be known here, such as
    CPU without /proc, is no failure."""
    verdicts = []
    for bound in BOUNDS:
        figures = [figure for one in rounds if (figure := bound.figure(one)) is not None]
        median = statistics.median(figures) if figures else None
        kept = median is None or bound.kept(median, bound.limit)
        said = "not to be known here" if median is None else f"{median:.3g}"
        word = "at least" if bound.kept is AT_LEAST else "at most"
        verdicts.append({
            "line": f"{'holds' if kept else '**missed**'}: {bound.text} {said}, {word} {bound.limit:g}",
            "figure": median,
            "kept": kept,
        })
    return verdicts
