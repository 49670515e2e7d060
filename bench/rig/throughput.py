"""Winners and sold-out answers against the constant reply of the same server in the same round."""

import statistics
import sys

from . import report
from .children import scratch
from .load import noise, wrk
from .postgres import Postgres, owner
from .redis import Redis
from .server import Server

WORKERS = 2
TOTAL = 100_000_000
QUIET_CORES = 0.1
REPEATS = 3

# What each row of the table measures; the first is what all others are compared with.
TARGETS = {
    "ceiling": "`/healthz`, the constant reply",
    "winners": "winners, persister off, AOF everysec",
    "sold_out": "sold out, new users",
    "winners_always": "winners, persister off, AOF always",
    "winners_postgres": "winners, persister on PostgreSQL, AOF everysec",
}


class Round:
    """Fresh servers, so that no round pays for the backlog of the one before."""

    def __init__(self, folder, options, database_url, persister):
        folder.mkdir()
        self.options = options
        self.redis = Redis(folder / "redis", "everysec")
        self.server = Server(folder / "server", self.redis, database_url, persister, WORKERS)
        self.named = {"server": self.server.child.pid, "redis": self.redis.child.pid}
        self.broken = []
        # Connections, pages and the processor's clock are warm before anything counts.
        wrk(self.server, "/healthz", 1, options.connections, self.named)

    def quiet(self, measure):
        """The first run without foreign load, or the least disturbed of a few."""
        runs = []
        for _ in range(REPEATS):
            runs.append(measure())
            if (noise(runs[-1]) or 0) <= QUIET_CORES:
                return runs[-1]
        return min(runs, key=noise)

    def load(self, path):
        return wrk(self.server, path, self.options.seconds, self.options.connections, self.named)

    def promise(self, text, holds):
        if not holds:
            self.broken.append(text)
            print(f"BROKEN: {text}", file=sys.stderr)

    def ceiling(self):
        result = self.load("/healthz")
        self.promise("/healthz always answers 200", result["error_statuses"] + result["socket_errors"] == 0)
        return result

    def winners(self):
        coupon = self.server.coupon(TOTAL)
        before = self.redis.script_usec()
        result = self.load(f"/coupons/{coupon}/issue")
        audit = self.server.audit(coupon)
        told = result["requests"] - result["error_statuses"]
        self.promise("every request of the winners' run wins", result["error_statuses"] + result["socket_errors"] == 0)
        # At the cut each connection has at most one request whose answer wrk did not count.
        self.promise(
            f"issued {audit['issued']} is what was told, {told}, and at most one more per connection",
            told <= audit["issued"] <= told + self.options.connections,
        )
        self.promise(f"the audit balances: {audit}", audit["ok"] is True)
        result["issued"], result["told"], result["coupon"] = audit["issued"], told, coupon
        result["redis_usec_per_winner"] = (self.redis.script_usec() - before) / max(1, audit["issued"])
        return result

    def winners_always(self):
        self.redis.appendfsync("always")
        try:
            return self.winners()
        finally:
            self.redis.appendfsync("everysec")

    def sold_out(self):
        coupon = self.server.coupon(1)
        status, body = self.server.get(f"/coupons/{coupon}/issue", "the-first")
        self.promise(f"the first user wins: {status} {body}", status == 200)
        status, body = self.server.get(f"/coupons/{coupon}/issue", "the-second")
        self.promise(f"the second is told sold_out: {status} {body}", status == 409 and '"sold_out"' in body)
        result = self.load(f"/coupons/{coupon}/issue")
        audit = self.server.audit(coupon)
        self.promise("nobody else wins", result["error_statuses"] == result["requests"] and audit["issued"] == 1)
        self.promise("every sold-out request is answered", result["socket_errors"] == 0)
        self.promise(f"the audit balances: {audit}", audit["ok"] is True)
        return result

    def winners_postgres(self):
        result = self.winners()
        stats = self.server.persisted(result["coupon"], seconds=300)
        self.promise(f"every ticket issued is a row: {stats}", stats["rows"] == stats["issued"] == stats["row_holders"])
        return result

    def stop(self):
        self.promise("the server ends when it is asked to", self.server.stop())
        self.redis.stop()


def _one_round(folder, number, options, postgres):
    measured, broken = {}, []
    for database, names in (("sqlite", list(TARGETS)[:4]), ("postgres", ["winners_postgres"])):
        persister = database == "postgres"
        url = postgres.database(f"round{number}") if persister else f"sqlite:{folder}/round{number}.db"
        servers = Round(folder / f"{database}{number}", options, url, persister)
        if persister:
            servers.named["postgres"] = postgres.child.pid
        for name in names:
            measured[name] = servers.quiet(getattr(servers, name))
            print(f"round {number}: {name} {measured[name]['per_second']:,.0f}/s", file=sys.stderr)
        servers.stop()
        broken += servers.broken
    return measured, broken


def measure(options, least):
    """True when no promise broke and the ratios in `least` hold."""
    rounds, broken = [], []
    with scratch(owner()) as folder:
        postgres = Postgres(folder / "postgres")
        for number in range(1, options.rounds + 1):
            measured, problems = _one_round(folder, number, options, postgres)
            rounds.append(measured)
            broken += problems
        version = postgres.version
        postgres.stop()

    ratios = {
        name: [one[name]["per_second"] / one["ceiling"]["per_second"] for one in rounds] for name in TARGETS
    }
    verdicts = {name: statistics.median(ratios[name]) >= bound for name, bound in least.items()}
    body = _body(rounds, ratios, least, verdicts, broken, options)
    about = report.surroundings(postgres=version)
    figures = {"rounds": rounds, "ratios": ratios, "broken": broken, "passed": all(verdicts.values()) and not broken}
    report.keep("ratio", options.smoke, "Issue throughput against the constant reply", body, figures, about,
                options.command)
    return figures["passed"]


def _body(rounds, ratios, least, verdicts, broken, options):
    rows = []
    for name, title in TARGETS.items():
        runs = [one[name] for one in rounds]

        def micros(who, runs=runs):
            return [run["cpu"][who] * 1e6 / run["requests"] for run in runs if run["cpu"].get(who) is not None]

        loud = sum((noise(run) or 0) > QUIET_CORES for run in runs)
        rows.append([
            title + (f" ({loud} of {len(runs)} disturbed)" if loud else ""),
            report.spread([run["per_second"] for run in runs], 0),
            report.spread([100 * ratio for ratio in ratios[name]], 0),
            report.spread([run["p50_ms"] for run in runs]),
            report.spread([run["p99_ms"] for run in runs]),
            report.spread(micros("server")),
            report.spread(micros("redis")),
            report.spread([run.get("redis_usec_per_winner") for run in runs], 2),
            report.spread([run["cpu"]["foreign"] for run in runs], 2),
            report.spread([run["cpu"]["steal"] for run in runs], 2),
        ])
    headings = ["target", "req/s", "% of ceiling", "p50 ms", "p99 ms", "server CPU µs/req", "Redis CPU µs/req",
                "Redis script µs/winner", "foreign cores", "stolen cores"]
    lines = [
        f"Median (range) of {len(rounds)} interleaved rounds, {options.seconds} s and {options.connections} connections "
        f"each, {WORKERS} actix workers, log level warn; generator, server and Redis share the machine. Every request is a "
        f"new user. A run with more than {QUIET_CORES} core of foreign or stolen time is repeated, at most {REPEATS} runs; "
        "if none is quiet the least disturbed one counts and is marked.",
        "", report.table(headings, rows), "",
    ]
    for name, bound in least.items():
        verb = "holds" if verdicts[name] else "**missed**"
        lines.append(f"- {verb}: {name} at {100 * statistics.median(ratios[name]):.0f} % of the ceiling, bound {100 * bound:.0f} %")
    lines += [f"- **broken**: {text}" for text in broken] or ["- holds: every promise after every round"]
    return "\n".join(lines)
