"""The server under test, attached to a Redis and a database of its own."""

import json
import os
import pathlib
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request

from . import children

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("SERVER_BIN") or ROOT / "target/release/firstcome")
# All servers on one Redis need the same.
CODE_KEYS = f"k1:{secrets.token_hex(32)}"


def build():
    # One after the other: together the server would be built with what only tests and examples ask of a crate.
    wanted = [["--example", "naive"]] if "SERVER_BIN" in os.environ else [["--bin", "firstcome"], ["--example", "naive"]]
    for target in wanted:
        if subprocess.run(["cargo", "build", "--release", "--locked", *target], cwd=ROOT).returncode != 0:
            sys.exit(3)


def request(method, url, body=None, headers=None):
    """(status, text) of an answer; status 0 when there was none."""
    asked = urllib.request.Request(
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **(headers or {})},
    )
    # No proxy of the environment stands between us and this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(asked, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()
    except OSError as error:
        return 0, str(error)


def wait_until(ready, child, what):
    deadline = time.monotonic() + 30
    while not ready():
        if child.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"{what} did not become ready:\n{children.log_end(child)}")
        time.sleep(0.05)


class Server:
    def __init__(self, folder, redis, database_url, persister, workers, variables=None):
        """`variables` come on top of what is set here; SERVER_BIN among them is another binary."""
        folder.mkdir()
        self.port, admin_port = children.free_port(), children.free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.admin = f"http://127.0.0.1:{admin_port}"
        self.token = secrets.token_hex(16)
        self.child = children.start(
            [(variables or {}).get("SERVER_BIN", BINARY), "serve"],
            log=folder / "log",
            env={
                **os.environ,
                "REDIS_URL": redis.url,
                "DATABASE_URL": database_url,
                "FIRSTCOME_LISTEN": f"127.0.0.1:{self.port}",
                "FIRSTCOME_ADMIN_LISTEN": f"127.0.0.1:{admin_port}",
                "FIRSTCOME_ADMIN_TOKEN": self.token,
                "FIRSTCOME_CODE_KEYS": CODE_KEYS,
                "FIRSTCOME_DATA_DIR": str(folder / "data"),
                "FIRSTCOME_PERSISTER": "on" if persister else "off",
                "FIRSTCOME_WORKERS": str(workers),
                "FIRSTCOME_LOG": "warn",
                **(variables or {}),
            },
        )
        wait_until(lambda: self.get("/readyz")[0] == 200, self.child, "the server")

    def get(self, path, user=None):
        return request("GET", self.base + path, headers={"X-User-Id": user} if user else None)

    def administer(self, method, path, body=None):
        status, text = request(method, self.admin + path, body, {"Authorization": f"Bearer {self.token}"})
        if not 200 <= status <= 299:
            raise SystemExit(f"{method} {path}: {status} {text}")
        return text

    def coupon(self, total):
        """A new coupon, preloaded; its id."""
        name = f"bench-{secrets.token_hex(6)}"
        self.administer("POST", "/admin/coupons", {"id": name, "name": "bench", "total": total})
        self.administer("POST", f"/admin/coupons/{name}/preload", {})
        return name

    def issue_path(self, coupon):
        return f"/coupons/{coupon}/issue"

    def audit(self, coupon):
        return json.loads(self.get(f"/coupons/{coupon}/audit")[1])

    def stats(self, coupon):
        return json.loads(self.administer("GET", f"/admin/coupons/{coupon}/stats"))

    def persisted(self, coupon, seconds):
        """The stats once every ticket is a row, or when the wait is over."""
        deadline = time.monotonic() + seconds
        while True:
            stats = self.stats(coupon)
            if stats["rows"] >= stats["issued"] and stats["backlog"] == 0 or time.monotonic() > deadline:
                return stats
            time.sleep(0.2)

    def memory_mib(self):
        """(resident now, the most that was)."""
        with open(f"/proc/{self.child.pid}/status") as status:
            kib = {line.split(":")[0]: line.split()[1] for line in status if line.startswith(("VmRSS", "VmHWM"))}
        return int(kib["VmRSS"]) / 1024, int(kib["VmHWM"]) / 1024

    def stop(self):
        return children.stop(self.child)
