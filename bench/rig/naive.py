"""The usual designs of bench/naive, with the same few words that the rig says to the server."""

import json
import os
import secrets

from . import children
from .server import ROOT, request, wait_until

BINARY = ROOT / "target/release/examples/naive"


class Naive:
    def __init__(self, folder, redis, database_url, workers):
        folder.mkdir()
        self.port = children.free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.child = children.start(
            [BINARY],
            log=folder / "log",
            env={
                **os.environ,
                "LISTEN": f"127.0.0.1:{self.port}",
                "REDIS_URL": redis.url,
                "DATABASE_URL": database_url,
                "WORKERS": str(workers),
            },
        )
        wait_until(lambda: request("GET", f"{self.base}/healthz")[0] == 200, self.child, "the naive server")

    def design(self, name):
        return Design(self, name)

    def stop(self):
        return children.stop(self.child)


class Design:
    """One of `pool`, `insert` and `row_lock`."""

    def __init__(self, naive, name):
        self.port, self.base, self.name = naive.port, naive.base, name

    def coupon(self, total):
        coupon = f"bench-{secrets.token_hex(6)}"
        status, text = request("PUT", f"{self.base}/{self.name}/coupons/{coupon}/{total}")
        if status != 204:
            raise SystemExit(f"the naive server made no coupon: {status} {text}")
        return coupon

    def issue_path(self, coupon):
        return f"/{self.name}/coupons/{coupon}/issue"

    def audit(self, coupon):
        status, text = request("GET", f"{self.base}/{self.name}/coupons/{coupon}/audit")
        if status != 200:
            raise SystemExit(f"the naive server's audit: {status} {text}")
        return json.loads(text)
