"""Instructions that a server needs in user space for one request, by callgrind.

    python3 bench/rig/server_instructions.py target/release/firstcome [OTHER ...]

Each binary gets FEW and MANY requests of a kind on one connection, one after the other, so that every call of the
script has one request; the difference is divided by the requests between. The first number is of the threads that
serve requests, the second of all others, which persist and run by time (gauges, prover): that one differs from run to
run. valgrind hides the vDSO, without which rustix ends: build each with RUSTFLAGS="--cfg rustix_use_libc".
"""

import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from rig import children  # noqa: E402

FEW, MANY = 200, 2_200
TOKEN = "a-token-for-the-bench-only-0123456789"
KINDS = ("constant", "winner", "replay", "refusal")


def _start(binary, folder):
    public, admin = children.free_port(), children.free_port()
    variables = {"PATH": os.environ["PATH"], "FIRSTCOME_DATA_DIR": f"{folder}/data", "FIRSTCOME_WORKERS": "1",
                 "FIRSTCOME_LISTEN": f"127.0.0.1:{public}", "FIRSTCOME_ADMIN_LISTEN": f"127.0.0.1:{admin}",
                 "FIRSTCOME_ADMIN_TOKEN": TOKEN}
    command = ["valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={folder}/out", binary,
               "serve"]
    child = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=open(f"{folder}/log", "w"))
    deadline = time.monotonic() + 60
    while True:
        try:
            if _ask(public, "GET", "/readyz") == 200:
                return child, public, admin
        except OSError:
            pass
        if child.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(pathlib.Path(folder, "log").read_text())
        time.sleep(0.2)


def _ask(port, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body, headers or {})
    return connection.getresponse().status


def _total(binary, kind, requests):
    with tempfile.TemporaryDirectory() as folder:
        child, public, admin = _start(binary, folder)
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", "Idempotency-Key": "1"}
        stock = 1 if kind == "refusal" else 10**6
        coupon = json.dumps({"id": "bench", "name": "Bench", "total": stock})
        assert _ask(admin, "POST", "/admin/coupons", coupon, headers) == 201
        assert _ask(admin, "POST", "/admin/coupons/bench/preload", None, headers) == 200
        assert _ask(public, "GET", "/coupons/bench/issue", None, {"X-User-Id": "first"}) == 200
        connection = http.client.HTTPConnection("127.0.0.1", public, timeout=30)
        path = "/healthz" if kind == "constant" else "/coupons/bench/issue"
        for number in range(requests):
            user = "first" if kind == "replay" else f"user-{number}"
            connection.request("GET", path, headers={"X-User-Id": user})
            connection.getresponse().read()
        child.send_signal(signal.SIGTERM)
        child.wait(timeout=60)
        serving, others = 0, 0
        for thread in pathlib.Path(folder).glob("out-*"):
            written = thread.read_text(errors="replace")
            total = int(re.search(r"^(?:totals|summary): (\d+)", written, re.MULTILINE).group(1))
            if len(re.findall(r"h1[:.]+dispatcher", written)) > 2:
                serving += total
            else:
                others += total
        return serving, others


def main(binaries):
    for kind in KINDS:
        for binary in binaries:
            counts = zip(_total(binary, kind, MANY), _total(binary, kind, FEW))
            serving, others = ((many - few) / (MANY - FEW) for many, few in counts)
            print(f"{kind:9} {serving:10,.0f} {others:10,.0f}  {binary}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or sys.exit(__doc__))
