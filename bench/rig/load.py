"""wrk against the literal 127.0.0.1, for a stated time, with the accounts of that time."""

import json
import secrets
import subprocess

from .cpu import Account
from .server import ROOT


def wrk(server, path, seconds, connections, named, rate=None):
    """What wrk saw, and the processors' account of it."""
    command = [
        "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", ROOT / "bench/wrk/ids.lua",
        server.base + path, "--", f"u{secrets.token_hex(3)}",
    ] + ([str(rate)] if rate else [])
    account = Account(named)
    run = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    seen = [line for line in run.stdout.splitlines() if line.startswith("RESULT ")]
    if run.returncode != 0 or not seen:
        raise SystemExit(f"wrk failed: {run.stdout}{run.stderr}")
    result = json.loads(seen[0].removeprefix("RESULT "))
    result["per_second"] = result["requests"] / result["seconds"]
    result["cpu"] = account.close()
    return result


def noise(result):
    """Cores that were not ours, or None where that cannot be known."""
    cpu = result["cpu"]
    return None if cpu["foreign"] is None else cpu["foreign"] + cpu["steal"]
