"""Instructions that redis-server needs in user space for one call of a script like lua/issue.lua, by callgrind.

    python3 bench/rig/instructions.py lua/issue.lua [OTHER.lua ...]

Two servers for each script and group get FEW and MANY calls for new users, with an append-only file; the difference
is divided by the calls between. The same script measured twice differs by about a hundredth.
"""

import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from rig import children  # noqa: E402
from rig.redis import Connection  # noqa: E402
from rig.script import COUPON, KEYS, STOCK  # noqa: E402

FEW, MANY = 100, 400
GROUPS = (1, 61)


def _start(folder):
    port = children.free_port()
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", "redis-server", "--port",
               str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "yes", "--hz", "1"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while True:
        try:
            connection = Connection(port)
            connection.socket.settimeout(60)
            return child, connection
        except OSError:
            if child.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"redis-server did not start: {child.communicate()[1]}")
            time.sleep(0.1)


def _total(text, group, calls):
    with tempfile.TemporaryDirectory() as folder:
        child, connection = _start(folder)
        ask, (coupon, holders, records, unpersisted) = connection.ask, KEYS
        ask("HSET", coupon, *(word for pair in COUPON.items() for word in pair))
        ask("HSET", holders, "", "")
        ask("SET", unpersisted, 0)
        ask("XADD", records, "*", "v", "1")
        sha = ask("SCRIPT", "LOAD", text)
        lines = ask("INFO", "replication").split("\r\n")
        replid = next(line.split(":")[1] for line in lines if line.startswith("master_replid:"))
        users = random.Random(group).sample(range(10**9, 10**10), group * calls)
        for call in range(calls):
            of_call = (f"u{user}" for user in users[call * group:(call + 1) * group])
            ask("EVALSHA", sha, len(KEYS), *KEYS, replid, 1, STOCK, "issue", "k1", "", *of_call)
        child.terminate()
        said = child.communicate(timeout=60)[1]
        return int(re.search(r"Collected : (\d+)", said).group(1))


def main():
    for name in sys.argv[1:]:
        text = pathlib.Path(name).read_text()
        for group in GROUPS:
            call = (_total(text, group, MANY) - _total(text, group, FEW)) / (MANY - FEW)
            print(f"{name}, {group} users a call: {call:,.0f} instructions a call", flush=True)


if __name__ == "__main__":
    main()
