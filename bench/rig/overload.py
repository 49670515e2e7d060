"""Twice as many requests as can be answered, for a minute: calm is what is promised."""

import http.client
import json
import statistics
import threading
import time

from . import report
from .children import scratch
from .load import Load, wrk
from .redis import Redis
from .server import Server

CONNECTIONS = 3000
# So many that most of the connections find it full.
QUEUE_MAX_REQUESTS = 512
WORKERS = 2
SECONDS, SMOKE_SECONDS = 60, 3
PROBE_EVERY_SECONDS = 0.1
MOST_P99_MS, MOST_RECOVERY_SECONDS, MOST_GROWTH_MIB = 250, 1.0, 32


class Probe(threading.Thread):
    """A user beside the load, with a new connection for each request; and the server's memory."""

    def __init__(self, server, path):
        super().__init__(daemon=True)
        self.server, self.path = server, path
        self.answers, self.memory_mib = [], []
        self.over = threading.Event()
        self.start()

    def ask(self):
        """(status, code, Retry-After, ms)"""
        since = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        connection.request("GET", self.path, headers={"X-User-Id": f"probe-{since}"})
        answer = connection.getresponse()
        body = json.loads(answer.read())
        connection.close()
        return answer.status, body["error"], answer.getheader("Retry-After"), 1000 * (time.monotonic() - since)

    def run(self):
        while not self.over.wait(PROBE_EVERY_SECONDS):
            self.answers.append(self.ask())
            self.memory_mib.append(self.server.memory_mib()[0])

    def close(self):
        self.over.set()
        self.join()


def outcomes(server):
    """Answers of the issue path by outcome."""
    counted = {}
    for line in server.administer("GET", "/metrics").splitlines():
        if line.startswith("firstcome_issue_requests_total{"):
            name, _, figure = line.rpartition(" ")
            counted[name.split('"')[1]] = int(float(figure))
    return counted


def measure(options):
    """True when it was calm."""
    seconds = SMOKE_SECONDS if options.smoke else SECONDS
    with scratch() as folder:
        redis = Redis(folder / "redis", "everysec")
        bound = {"FIRSTCOME_QUEUE_MAX_REQUESTS": str(QUEUE_MAX_REQUESTS)}
        server = Server(folder / "server", redis, f"sqlite:{folder}/o.db", False, WORKERS, bound)
        coupon = server.coupon(100_000_000)
        named = {"server": [server.child], "redis": [redis.child]}
        # Every buffer that the connections will need is there before memory is looked at.
        wrk([server], [(server.issue_path(coupon), 1)], Load(2, CONNECTIONS), named)
        before = outcomes(server)
        probe = Probe(server, server.issue_path(coupon))
        result = wrk([server], [(server.issue_path(coupon), 1)], Load(seconds, CONNECTIONS), named)
        probe.close()
        ended_at = time.monotonic()
        status, *_ = probe.ask()
        recovered_after = time.monotonic() - ended_at
        counted = {name: count - before.get(name, 0) for name, count in outcomes(server).items()}
        audit = server.audit(coupon)
        server.stop()
        redis.stop()

    told = {name: count for name, count in counted.items() if count}
    accepted = [ms for status, _, _, ms in probe.answers if status == 200]
    refused = [answer for answer in probe.answers if answer[0] != 200]
    p99_ms = statistics.quantiles(accepted, n=100)[98] if len(accepted) > 1 else float("inf")
    growth_mib = max(probe.memory_mib) - probe.memory_mib[0]
    verdicts = {
        f"no answer but issued and overloaded: {told}": set(told) <= {"issued", "overloaded"},
        "refused are 503 overloaded with Retry-After": all(
            (status, code) == (503, "overloaded") and after for status, code, after, _ in refused),
        f"accepted ones p99 {p99_ms:.0f} ms, below {MOST_P99_MS}": p99_ms < MOST_P99_MS,
        f"memory grew by {growth_mib:.1f} MiB, at most {MOST_GROWTH_MIB}": growth_mib <= MOST_GROWTH_MIB,
        f"recovered after {recovered_after:.3f} s, at most {MOST_RECOVERY_SECONDS}":
            status == 200 and recovered_after <= MOST_RECOVERY_SECONDS,
        f"the audit balances: {audit}": audit["ok"] is True,
    }
    issued, overloaded = counted.get("issued", 0), counted.get("overloaded", 0)
    body = "\n".join([
        f"{CONNECTIONS:,} connections in a closed loop for {seconds} s, queues of {QUEUE_MAX_REQUESTS} requests on each of "
        f"{WORKERS} actix workers, AOF everysec, persister off: {result['per_second']:,.0f} answers a second, of which "
        f"{issued / seconds:,.0f} issued and {overloaded / seconds:,.0f} overloaded. {len(probe.answers)} requests of "
        f"a user beside them, each by a new connection: {len(accepted)} issued, p50 "
        f"{statistics.median(accepted or [0]):.0f} ms. Resident memory {min(probe.memory_mib):.0f} to "
        f"{max(probe.memory_mib):.0f} MiB.",
        "", *[f"- {'holds' if kept else '**missed**'}: {text}" for text, kept in verdicts.items()],
    ])
    passed = all(verdicts.values())
    report.keep("overload", options, "Twice too much", body, {
        "result": result, "outcomes": counted, "memory_mib": probe.memory_mib, "passed": passed,
    })
    return passed
