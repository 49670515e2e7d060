"""How fast a filled stream becomes rows, against what PostgreSQL itself can take by each way of inserting."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time

from . import children, report
from .backlog import BacklogWatch
from .children import scratch
from .cpu import Account
from .load import Load, wrk
from .postgres import Postgres, owner, programs
from .redis import Redis
from .server import BINARY, CODE_KEYS, Server

FILL_SECONDS, SMOKE_FILL_SECONDS = 8, 1
BATCH_ROWS = 8192
LEAST_SHARE = 0.70

COLUMNS = "(coupon_id, serial, epoch, user_id, claim, issued_at_ms, source)"
ARRAYS = "UNNEST(b.coupon_ids, b.serials, b.epochs, b.user_ids, b.claims, b.issued, b.sources)"
LOOP = "DO $$ DECLARE b RECORD; BEGIN FOR b IN SELECT * FROM batches ORDER BY batch LOOP {} COMMIT; END LOOP; END $$"
# The same rows, in the order in which they were issued, into an empty table of the same form: a transaction for
# each batch, as the persister has. What a client would send is made before the clock starts: the arrays, the text of
# VALUES, the file that COPY reads.
PREPARE = f"""
CREATE TABLE batches AS
SELECT (serial - 1) / {BATCH_ROWS} AS batch, array_agg(coupon_id ORDER BY serial) AS coupon_ids,
    array_agg(serial ORDER BY serial) AS serials, array_agg(epoch ORDER BY serial) AS epochs,
    array_agg(user_id ORDER BY serial) AS user_ids, array_agg(claim ORDER BY serial) AS claims,
    array_agg(issued_at_ms ORDER BY serial) AS issued, array_agg(source ORDER BY serial) AS sources,
    string_agg(format('(%L, %s, %s, %L, %s, %s, %L)', coupon_id, serial, epoch, user_id, claim, issued_at_ms, source),
        ', ' ORDER BY serial) AS list,
    format('%s/batch_%s', current_setting('data_directory'), (serial - 1) / {BATCH_ROWS}) AS file
FROM tickets GROUP BY (serial - 1) / {BATCH_ROWS};
CREATE TABLE rows_unnest (LIKE tickets INCLUDING ALL);
CREATE TABLE rows_copy (LIKE tickets INCLUDING ALL);
CREATE TABLE rows_values (LIKE tickets INCLUDING ALL);
CREATE TABLE rows_single (LIKE tickets INCLUDING ALL);
CREATE UNLOGGED TABLE stage AS SELECT coupon_id, serial, epoch, user_id, claim, issued_at_ms, source FROM tickets LIMIT 0;
DO $$ DECLARE b RECORD; BEGIN FOR b IN SELECT batch, file FROM batches LOOP
    EXECUTE format('COPY (SELECT t.* FROM batches AS b, {ARRAYS} AS t WHERE b.batch = %s) TO %L (FORMAT binary)', b.batch, b.file);
END LOOP; END $$;
CHECKPOINT;
"""
WAYS = {
    "UNNEST": LOOP.format(f"INSERT INTO rows_unnest {COLUMNS} SELECT * FROM {ARRAYS} ON CONFLICT DO NOTHING;"),
    "COPY into a stage, then an insert": LOOP.format(
        "TRUNCATE stage; EXECUTE format('COPY stage FROM %L (FORMAT binary)', b.file); "
        f"INSERT INTO rows_copy {COLUMNS} SELECT * FROM stage ON CONFLICT DO NOTHING;"),
    "VALUES of all rows": LOOP.format(
        f"EXECUTE 'INSERT INTO rows_values {COLUMNS} VALUES ' || b.list || ' ON CONFLICT DO NOTHING';"),
    "row by row": "DO $$ DECLARE b RECORD; r RECORD; BEGIN FOR b IN SELECT * FROM batches ORDER BY batch LOOP "
        f"FOR r IN SELECT * FROM {ARRAYS} AS row {COLUMNS} LOOP INSERT INTO rows_single {COLUMNS} VALUES (r.coupon_id, "
        "r.serial, r.epoch, r.user_id, r.claim, r.issued_at_ms, r.source) ON CONFLICT DO NOTHING; END LOOP; COMMIT; "
        "END LOOP; END $$",
}


def sql(url, text):
    """Seconds that PostgreSQL took."""
    psql = shutil.which("psql") or programs() / "psql"
    since = time.monotonic()
    subprocess.run([psql, "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", text], check=True)
    return time.monotonic() - since


def _one(folder, number, postgres, fill_seconds):
    url = postgres.database(f"drain{number}")
    redis = Redis(folder / f"redis{number}", "everysec")
    server = Server(folder / f"server{number}", redis, url, False, 2)
    coupon = server.coupon(100_000_000)
    wrk([server], [(server.issue_path(coupon), 1)], Load(fill_seconds, 256), {})
    tickets = redis.connection.unpersisted()
    watch = BacklogWatch(redis)
    worker = children.start([BINARY, "worker"], log=folder / f"worker{number}", env={
        **os.environ, "REDIS_URL": redis.url, "DATABASE_URL": url, "FIRSTCOME_CODE_KEYS": CODE_KEYS,
        "FIRSTCOME_ADMIN_TOKEN": server.token, "FIRSTCOME_ADMIN_LISTEN": f"127.0.0.1:{children.free_port()}",
        "FIRSTCOME_DATA_DIR": str(folder / f"data{number}"), "FIRSTCOME_LOG": "warn",
    })
    account = Account({"worker": [worker], "redis": [redis.child], "postgres": [postgres.child]})
    watch.close(time.monotonic(), 300)
    cpu = account.close()
    began = max(at for at, left in watch.seen if left == tickets)
    ended = min(at for at, left in watch.seen if left == 0)
    stats = server.stats(coupon)
    broken = [] if stats["rows"] == stats["issued"] == tickets else [f"every ticket is a row: {json.dumps(stats)}"]
    for child in (worker, server.child):
        children.stop(child)
    redis.stop()
    sql(url, PREPARE)
    ways = {name: tickets / sql(url, text) for name, text in WAYS.items()}
    sql(url, "DROP TABLE batches, rows_unnest, rows_copy, rows_values, rows_single, stage")
    rate = tickets / (ended - began)
    print(f"drain {number}: {tickets:,} tickets, {rate:,.0f}/s", file=sys.stderr)
    micros = {who: None if cpu[who] is None else cpu[who] * 1e6 / tickets for who in ("worker", "redis", "postgres")}
    return {"tickets": tickets, "per_second": rate, "ways": ways, "cpu_usec": micros, "broken": broken}


def measure(options):
    """True when every ticket became a row, fast enough."""
    fill_seconds, rounds = (SMOKE_FILL_SECONDS, 1) if options.smoke else (FILL_SECONDS, options.rounds)
    with scratch(owner()) as folder:
        postgres = Postgres(folder / "postgres")
        runs = [_one(folder, number, postgres, fill_seconds) for number in range(1, rounds + 1)]
        postgres.stop()
    rows = [["firstcome worker, from the stream", report.spread([run["per_second"] for run in runs], 0), "-"]]
    shares = [run["per_second"] / run["ways"]["UNNEST"] for run in runs]
    for name in WAYS:
        against = [run["per_second"] / run["ways"][name] for run in runs]
        rows.append([f"PostgreSQL alone, {name}", report.spread([run["ways"][name] for run in runs], 0),
                     report.spread([100 * share for share in against], 0)])
    broken = [text for run in runs for text in run["broken"]]
    kept = statistics.median(shares) >= LEAST_SHARE
    cpu = ", ".join(f"{who} {report.spread([run['cpu_usec'][who] for run in runs])}" for who in runs[0]["cpu_usec"])
    body = "\n".join([
        f"{report.spread([run['tickets'] for run in runs], 0)} tickets of one coupon wait in the stream when one worker "
        f"starts; median (range) of {len(runs)} rounds. Beside it the same rows into an empty table of the same form, by "
        f"SQL alone, {BATCH_ROWS:,} rows a transaction.",
        "", report.table(["way", "rows/s", "worker's share, %"], rows), "", f"CPU µs a ticket: {cpu}.", "",
        f"- {'holds' if kept else '**missed**'}: the worker writes {100 * statistics.median(shares):.0f} % of what UNNEST "
        f"alone does, at least {100 * LEAST_SHARE:.0f} %",
        *report.promises(broken),
    ])
    report.keep("drain", options, "From a filled stream into PostgreSQL", body,
                {"runs": runs, "passed": kept and not broken}, postgres=postgres.version)
    return kept and not broken
