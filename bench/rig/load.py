"""wrk against the literal 127.0.0.1, for a stated time, with the accounts of that time."""

import dataclasses
import json
import os
import secrets
import subprocess
import time

from .cpu import Account
from .server import ROOT


@dataclasses.dataclass(frozen=True)
class Load:
    """How hard and how long: a closed loop, or `rate` requests a second."""

    seconds: int
    connections: int
    rate: float | None = None


def wrk(servers, paths, load, named, users=None, prefix=None):
    """What wrk saw, and the processors' account of it. `paths` are pairs of a path and how many requests
    in a row it gets; a thread of wrk goes to each server. A prefix that was used before, with the same
    `users`, means the same users again."""
    threads = len(servers)
    given = ["paths=" + ",".join(f"{path}*{times}" for path, times in paths)]
    given += [f"users={users}"] if users else []
    given += [f"rate={load.rate / threads}"] if load.rate else []
    command = [
        "wrk", f"-t{threads}", f"-c{load.connections}", f"-d{load.seconds}s", "-s", ROOT / "bench/wrk/ids.lua",
        servers[0].base, "--", prefix or f"u{secrets.token_hex(3)}", *given,
    ]
    env = {**os.environ, "PORTS": ",".join(str(server.port) for server in servers)}
    account = Account(named)
    run = subprocess.run(command, capture_output=True, text=True, timeout=load.seconds + 60, env=env)
    ended_at = time.monotonic()
    seen = [line for line in run.stdout.splitlines() if line.startswith("RESULT ")]
    if run.returncode != 0 or not seen:
        raise SystemExit(f"wrk failed: {run.stdout}{run.stderr}")
    result = json.loads(seen[0].removeprefix("RESULT "))
    result["per_second"] = result["requests"] / result["seconds"]
    result["told"] = result["requests"] - result["error_statuses"]
    result["ended_at"] = ended_at
    result["cpu"] = account.close()
    return result


def noise(result):
    """Cores that were not ours, or None where that cannot be known."""
    cpu = result["cpu"]
    return None if cpu["foreign"] is None else cpu["foreign"] + cpu["steal"]
