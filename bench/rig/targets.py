"""What is measured: each target loads a stage in its way and checks what was promised."""

import dataclasses
import secrets
from collections.abc import Callable

from .backlog import BacklogWatch
from .stage import Setting

TOTAL = 100_000_000
SOLD_OUT_TOTAL = 10_000
HOLDERS = 50_000
COUPONS = 10
DRAIN_SECONDS = 300
PREPARED_WITHIN_SECONDS = (1, 2, 4, 8, 16, 32)


@dataclasses.dataclass(frozen=True)
class Target:
    name: str
    title: str
    measure: Callable
    setting: Setting = Setting()


def _every_request(stage, text, result):
    stage.promise(f"{text}: {result['error_statuses']} error statuses, {result['socket_errors']} socket errors",
                  result["error_statuses"] + result["socket_errors"] == 0)


def issued_as_told(stage, server, coupons, result, connections=None):
    """Every audit balances, and what they issued is what was told. At the cut each connection has at most
    one request whose answer wrk did not count."""
    unknown = connections or stage.load.connections
    audits = [server.audit(coupon) for coupon in coupons]
    issued, told = sum(audit["issued"] for audit in audits), result["told"]
    stage.promise(f"issued {issued} is what was told, {told}, and at most one more per connection",
                  told <= issued <= told + unknown)
    for audit in audits:
        stage.promise(f"the audit balances, and nobody holds two: {audit}",
                      audit["ok"] is True and audit["holders"] == audit["issued"])
    return {**result, "issued": issued}


def _until_issued(stage, coupon, total, **users):
    """Asks until all `total` are issued, each of them once, however many ask. A run begins with the first
    user again, so the next one is longer."""
    for seconds in PREPARED_WITHIN_SECONDS:
        load = dataclasses.replace(stage.load, seconds=seconds, rate=None)
        stage.run([(stage.server.issue_path(coupon), 1)], load, **users)
        audit = stage.server.audit(coupon)
        if audit["issued"] >= total:
            break
    stage.promise(f"exactly {total} are issued: {audit}", audit["issued"] == audit["holders"] == total and audit["ok"])


def _sold_out_coupon(stage):
    coupon = stage.server.coupon(SOLD_OUT_TOTAL)
    _until_issued(stage, coupon, SOLD_OUT_TOTAL)
    status, body = stage.server.get(stage.server.issue_path(coupon), f"late-{secrets.token_hex(3)}")
    stage.promise(f"a new user is told sold_out: {status} {body}", status == 409 and '"sold_out"' in body)
    return coupon


def _nobody_more(stage, coupon):
    audit = stage.server.audit(coupon)
    stage.promise(f"nobody wins what is sold out: {audit}", audit["ok"] is True and audit["issued"] == SOLD_OUT_TOTAL)


def ceiling(stage):
    result = stage.run([("/healthz", 1)])
    _every_request(stage, "/healthz always answers 200", result)
    return result


def winners(stage):
    coupon = stage.server.coupon(TOTAL)
    result = stage.run([(stage.server.issue_path(coupon), 1)])
    _every_request(stage, "every request of the winners' run wins", result)
    return {**issued_as_told(stage, stage.server, [coupon], result), "coupon": coupon}


def replays(stage):
    """The same users are asked for until each holds a ticket; then they ask again."""
    coupon = stage.server.coupon(TOTAL)
    users = {"users": HOLDERS, "prefix": f"h{secrets.token_hex(3)}"}
    _until_issued(stage, coupon, HOLDERS, **users)
    result = stage.run([(stage.server.issue_path(coupon), 1)], **users)
    _every_request(stage, "every holder is told the ticket again", result)
    audit = stage.server.audit(coupon)
    stage.promise(f"no replay issues anything: {audit}", audit["issued"] == audit["holders"] == HOLDERS)
    return result


def sold_out(stage):
    coupon = _sold_out_coupon(stage)
    result = stage.run([(stage.server.issue_path(coupon), 1)])
    stage.promise("every sold-out request is refused", result["told"] == 0 and result["socket_errors"] == 0)
    _nobody_more(stage, coupon)
    return result


def mixed(stage):
    """One request of a hundred is for a coupon that has stock, the others for one that is sold out."""
    out, coupon = _sold_out_coupon(stage), stage.server.coupon(TOTAL)
    result = stage.run([(stage.server.issue_path(out), 99), (stage.server.issue_path(coupon), 1)])
    stage.promise("every mixed request is answered", result["socket_errors"] == 0)
    share = result["told"] / result["requests"]
    stage.promise(f"one of a hundred wins, not {share:.4f}", 0.009 < share < 0.011)
    _nobody_more(stage, out)
    return issued_as_told(stage, stage.server, [coupon], result)


def coupons(number):
    """All of so many coupons are asked for at once, so that a call of the script has few users."""
    def measure(stage):
        ids = [stage.server.coupon(TOTAL) for _ in range(number)]
        result = stage.run([(stage.server.issue_path(coupon), 1) for coupon in ids])
        _every_request(stage, f"every request for the {number} coupons wins", result)
        return issued_as_told(stage, stage.server, ids, result)
    return measure


def winners_persisted(stage):
    watch = BacklogWatch(stage.redis)
    result = winners(stage)
    most, drain_seconds = watch.close(result["ended_at"], DRAIN_SECONDS)
    stage.promise(f"the backlog is empty {DRAIN_SECONDS} s after the load", drain_seconds is not None)
    stats = stage.server.stats(result["coupon"])
    stage.promise(f"every ticket issued is a row, and no user has two: {stats}",
                  stats["rows"] == stats["issued"] == stats["holders"] and stats["contested"] == 0)
    return {**result, "backlog_most_tickets": most, "drain_seconds": drain_seconds}


def naive(name):
    def measure(stage):
        design = stage.server.design(name)
        coupon = design.coupon(TOTAL)
        result = stage.run([(design.issue_path(coupon), 1)])
        _every_request(stage, f"every request of the naive {name} wins", result)
        if name != "insert":
            return issued_as_told(stage, design, [coupon], result)
        # A request that is cut off between Redis and the database has taken stock and no row.
        audit, told = design.audit(coupon), result["told"]
        stage.promise(f"naive insert: every ticket told, {told}, is a row: {audit}",
                      told <= audit["holders"] <= audit["issued"] <= told + stage.load.connections)
        return {**result, "issued": audit["issued"]}
    return measure


NAIVE = Setting(naive=True)
CEILING = Target("ceiling", "`/healthz`, the constant reply", ceiling)
# Those that the matrix measures at each level of the append-only file.
OF_THE_MATRIX = [
    Target("winners", "winners", winners),
    Target("replays", "replays", replays),
    Target("sold_out", "sold out", sold_out),
    Target("mixed", "1 winner : 99 sold out", mixed),
    Target("ten_coupons", "winners of ten coupons", coupons(COUPONS)),
    Target("two_servers", "winners, two server processes", winners, Setting(servers=2)),
]
OF_A_ROUND = [
    CEILING,
    *OF_THE_MATRIX,
    Target("winners_always", "winners, AOF always", winners, Setting(appendfsync="always")),
    Target("winners_none", "winners, no AOF", winners, Setting(appendfsync="none")),
    Target("winners_persisted", "winners, persister on PostgreSQL", winners_persisted, Setting(persister=True)),
    Target("naive_pool", "naive: a script call each, by a pool", naive("pool"), NAIVE),
    Target("naive_insert", "naive: the same, and an insert each", naive("insert"), NAIVE),
    Target("naive_row_lock", "naive: the row lock", naive("row_lock"), NAIVE),
]
OF_A_COMPARISON = [*OF_A_ROUND, Target("coupons_48", "winners of 48 coupons", coupons(48))]
