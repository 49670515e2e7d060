"""Instructions that redis-server needs in user space for one call of the issue script, by callgrind.

    python3 bench/rig/instructions.py [COMMIT ...]

The commit `.` is the working tree, and what is measured when there is none. Two servers for each script and group get FEW and MANY calls for new users, with an append-only file; the difference
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
from rig.scripts import Coupon, Scripts  # noqa: E402

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


def _total(scripts, group, calls):
    with tempfile.TemporaryDirectory() as folder:
        child, connection = _start(folder)
        coupon = Coupon(connection, scripts)
        users = random.Random(group).sample(range(10**9, 10**10), group * calls)
        for call in range(calls):
            coupon.issue(f"u{user}" for user in users[call * group:(call + 1) * group])
        child.terminate()
        said = child.communicate(timeout=60)[1]
        return int(re.search(r"Collected : (\d+)", said).group(1))


def main():
    for name in sys.argv[1:] or ["."]:
        for group in GROUPS:
            few, many = (_total(Scripts(name), group, calls) for calls in (FEW, MANY))
            print(f"{name}, {group} users per call: {(many - few) / (MANY - FEW):,.0f} instructions "
                  "per call", flush=True)


if __name__ == "__main__":
    main()
