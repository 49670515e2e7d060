"""How long a service that lost its whole Redis is away: FLUSHALL, then until each coupon issues again."""

import sys
import time

from . import children, report
from .children import scratch
from .drain import sql
from .postgres import Postgres, owner
from .redis import Redis
from .server import Server

# A large coupon and small ones beside it.
TICKETS, SMOKE_TICKETS, SMALL = 1_000_000, 20_000, 10
PATIENCE_SECONDS = 180
FILL = """
INSERT INTO tickets (coupon_id, serial, epoch, user_id, claim, issued_at_ms, source)
SELECT '{coupon}', number, 1, 'user-' || number, 1, 1764547200000 + number, 'issue' FROM generate_series(1, {tickets}) AS number;
UPDATE coupons SET persisted = {tickets} WHERE id = '{coupon}';
"""


def _one(folder, number, postgres, tickets):
    url = postgres.database(f"recovery{number}")
    redis = Redis(folder / f"redis{number}", "always")
    server = Server(folder / f"server{number}", redis, url, True, 2, {"FIRSTCOME_LOG": "info"})
    small = [server.coupon(100) for _ in range(SMALL)]
    large = server.coupon(2 * tickets)
    sql(url, FILL.format(coupon=large, tickets=tickets))
    before = {coupon: server.get(server.issue_path(coupon), "ada")[1] for coupon in small}
    server.persisted(small[-1], 10)
    redis.connection.ask("FLUSHALL")
    since = time.monotonic()

    def until(coupon, user, body):
        while True:
            status, told = server.get(server.issue_path(coupon), user)
            if status == 200:
                return time.monotonic() - since, body is None or told == body
            if time.monotonic() - since > PATIENCE_SECONDS:
                return PATIENCE_SECONDS, False
            time.sleep(0.02)

    seconds, same = {}, True
    for coupon in small:
        seconds["small"], is_same = until(coupon, "ada", before[coupon])
        same = same and is_same
    seconds["large"], _ = until(large, f"user-{tickets // 2}", None)
    while server.get("/readyz")[0] != 200 and time.monotonic() - since < PATIENCE_SECONDS:
        time.sleep(0.02)
    audit = server.audit(large)
    broken = []
    if not same:
        broken.append("every holder is told the same, byte for byte (I10)")
    if not audit["ok"] or audit["issued"] != tickets:
        broken.append(f"the audit balances: {audit}")
    print(f"recovery {number}: small {seconds['small']:.1f} s, large {seconds['large']:.1f} s", file=sys.stderr)
    children.stop(server.child)
    redis.stop()
    return {"seconds": seconds, "broken": broken}


def measure(options):
    """True when everything came back."""
    tickets, rounds = (SMOKE_TICKETS, 1) if options.smoke else (TICKETS, options.rounds)
    with scratch(owner()) as folder:
        postgres = Postgres(folder / "postgres")
        runs = [_one(folder, number, postgres, tickets) for number in range(1, rounds + 1)]
        postgres.stop()
    rows = [[name, report.spread([run["seconds"][which] for run in runs])]
            for name, which in ((f"{SMALL} coupons with 1 ticket each", "small"), (f"a coupon with {tickets:,} tickets", "large"))]
    broken = [text for run in runs for text in run["broken"]]
    body = "\n".join([
        f"`FLUSHALL` at a Redis (`always`) with {SMALL} small coupons and a large one, whose tickets are rows in "
        f"PostgreSQL. Seconds until a holder is told the same ticket again; median (range) of {len(runs)} rounds. "
        "Of them 5 pass before a recovery may begin to write: 2.5 until nobody counts the old life, 2.5 for the other servers.",
        "", report.table(["coupon", "seconds"], rows), "", *report.promises(broken),
    ])
    report.keep("recovery", options, "From an empty Redis back to issuing", body,
                {"runs": runs, "passed": not broken}, postgres=postgres.version)
    return not broken
