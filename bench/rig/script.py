"""What one call of `lua/issue.lua` costs Redis for each winner, beside the least that any script would do."""

import random
import sys

from . import report
from .children import scratch
from .redis import Redis
from .server import ROOT

CALLS, SMOKE_CALLS = 600, 60
GROUPS = (1, 16, 61, 128, 512)
STOCK = 10**9
# Takes the users as they are, looks all of them up and makes all of them holders.
FLOOR = """
local users = {unpack(ARGV, 7)}
redis.call('HMGET', KEYS[2], unpack(users))
local holders = {}
for i = 1, #users do holders[i * 2 - 1] = users[i]; holders[i * 2] = '123456:abcdefgh' end
redis.call('HSET', KEYS[2], unpack(holders))
return {'issued'}
"""
KEYS = ("{s}coupon", "{s}holders", "{s}records", "{s}unpersisted")
COUPON = {
    "id": "bench", "state": "open", "epoch": 1, "version": 1, "stock_version": 1, "remaining": STOCK,
    "held": 0, "held_until_ms": 0, "last_serial": 0, "issued": 0, "per_user_limit": 1, "opens_at_ms": "", "closes_at_ms": "", "key_id": "k1",
    "valid_for_ms": "", "total": STOCK,
}


def _usec_a_winner(folder, name, text, group, calls, is_cold):
    redis = Redis(folder / name, "everysec")
    ask = redis.connection.ask
    coupon, holders, records, unpersisted = KEYS
    ask("HSET", coupon, *(word for pair in COUPON.items() for word in pair))
    ask("HSET", holders, "", "")
    ask("SET", unpersisted, 0)
    ask("XADD", records, "*", "v", "1")
    sha = ask("SCRIPT", "LOAD", text)
    lines = ask("INFO", "replication").split("\r\n")
    replid = next(line.split(":")[1] for line in lines if line.startswith("master_replid:"))
    users = random.Random(group).sample(range(10**9, 10**10), group * calls)
    trash = bytearray(8 << 20)
    for call in range(calls):
        of_call = (f"u{user}" for user in users[call * group:(call + 1) * group])
        ask("EVALSHA", sha, len(KEYS), *KEYS, replid, 1, STOCK, "issue", "k1", "", *of_call)
        if is_cold:
            # What others do between two calls on a busy machine: use the caches for themselves.
            trash = bytearray(trash)
    _, usec = redis.scripts()
    held = int(ask("HLEN", holders)) - 1
    redis.stop()
    if held != group * calls:
        raise SystemExit(f"{name}: {held} holders instead of {group * calls}")
    return usec / held


def measure(options):
    """True: there is no bound, it is the measure of what the bound in the table could be."""
    calls, rounds = (SMOKE_CALLS, 1) if options.smoke else (CALLS, options.rounds)
    texts = {"issue.lua": (ROOT / "lua/issue.lua").read_text(), "least": FLOOR}
    seen = {}
    with scratch() as folder:
        for number in range(rounds):
            for group in GROUPS:
                for is_cold in (False, True):
                    for name, text in texts.items():
                        stage = f"{name[:5]}{number}-{group}-{is_cold}"
                        usec = _usec_a_winner(folder, stage, text, group, calls, is_cold)
                        seen.setdefault((group, is_cold, name), []).append(usec)
            print(f"round {number + 1}", file=sys.stderr)
    rows = [
        [group, *(report.spread(seen[group, is_cold, name], 2) for is_cold in (False, True) for name in texts)]
        for group in GROUPS
    ]
    headings = ["users a call", "issue.lua, warm", "least, warm", "issue.lua, cold", "least, cold"]
    body = "\n".join([
        f"Script time for each winner in µs, by `INFO commandstats`: median (range) of {rounds} rounds of {calls} calls, AOF "
        "everysec, one call after the other. *Least* only looks all users up and makes them holders: no stock, no "
        "record, no time, no generation, no duplicates. *Cold*: 8 MiB are copied between two calls, as others use the "
        "caches on a busy machine.",
        "", report.table(headings, rows),
    ])
    report.keep("script", options, "What the script costs", body, {
        "rounds": {f"{group} {'cold' if is_cold else 'warm'} {name}": values
                   for (group, is_cold, name), values in seen.items()},
        "passed": True,
    })
    return True
