"""What one call of `lua/issue.lua` costs Redis for each winner, beside the least that any script would do."""

import random
import sys

from . import report
from .children import scratch
from .redis import Redis
from .scripts import Coupon, Scripts

CALLS, SMOKE_CALLS = 600, 60
GROUPS = (1, 16, 61, 128, 512)
# Takes the users as they are, looks all of them up and makes all of them holders.
FLOOR = """
local users = {unpack(ARGV, 7)}
redis.call('HMGET', KEYS[2], unpack(users))
local holders = {}
for i = 1, #users do holders[i * 2 - 1] = users[i]; holders[i * 2] = '123456:abcdefgh' end
redis.call('HSET', KEYS[2], unpack(holders))
return {'issued'}
"""


def _usec_a_winner(folder, name, scripts, issue, group, calls, is_cold):
    redis = Redis(folder / name, "everysec")
    coupon = Coupon(redis.connection, scripts, issue)
    users = random.Random(group).sample(range(10**9, 10**10), group * calls)
    before = redis.scripts()[1]
    trash = bytearray(8 << 20)
    for call in range(calls):
        coupon.issue(f"u{user}" for user in users[call * group:(call + 1) * group])
        if is_cold:
            # What others do between two calls on a busy machine: use the caches for themselves.
            trash = bytearray(trash)
    usec = redis.scripts()[1] - before
    held = coupon.holders()
    redis.stop()
    if held != group * calls:
        raise SystemExit(f"{name}: {held} holders instead of {group * calls}")
    return usec / held


def _variants(commits):
    """The least script, and those of the working tree or of each commit: name → (scripts, issue script)."""
    named = {f"issue.lua of {commit}": (Scripts(commit), None) for commit in commits} or {"issue.lua": (Scripts(), None)}
    return {**named, "least": (Scripts(), FLOOR)}


def measure(options):
    """True: there is no bound, it is the measure of what the bound in the table could be."""
    calls, rounds = (SMOKE_CALLS, 1) if options.smoke else (CALLS, options.rounds)
    variants = _variants(options.script)
    seen = {}
    with scratch() as folder:
        for number in range(rounds):
            for group in GROUPS:
                for is_cold in (False, True):
                    names = list(variants)[:: -1 if number % 2 else 1]
                    for name in names:
                        stage = f"{names.index(name)}-{number}-{group}-{is_cold}"
                        usec = _usec_a_winner(folder, stage, *variants[name], group, calls, is_cold)
                        seen.setdefault((group, is_cold, name), []).append(usec)
            print(f"round {number + 1}", file=sys.stderr)
    first = next(iter(variants))
    rows = [[group, name, *(cell for is_cold in (False, True) for cell in (
        report.spread(seen[group, is_cold, name], 2),
        report.times(seen[group, is_cold, name], seen[group, is_cold, first])))]
        for group in GROUPS for name in variants]
    headings = ["users per call", "script", "warm, µs", "times", "cold, µs", "times"]
    body = "\n".join([
        f"Script time for each winner in µs, by `INFO commandstats`: median (range) of {rounds} interleaved rounds of {calls} "
        "calls on a coupon that the preload of the same commit made, AOF everysec, one call after the other. *Times* is "
        "the script against the first one in the same round: median (quartiles). *Least* only looks all users up and "
        "makes them holders: no stock, no record, no time, no generation, no duplicates. *Cold*: 8 MiB are copied "
        "between two calls, as others use the caches on a busy machine.",
        "", report.table(headings, rows),
    ])
    report.keep("script", options, "What the script costs", body, {
        "rounds": {f"{group} {'cold' if is_cold else 'warm'} {name}": values
                   for (group, is_cold, name), values in seen.items()},
        "passed": True,
    })
    return True
