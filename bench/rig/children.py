"""Processes of ours: none outlives the measurement, however it ends."""

import atexit
import contextlib
import ctypes
import pathlib
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

LINUX = sys.platform.startswith("linux")
_alive = []
_libc = ctypes.CDLL(None, use_errno=True) if LINUX else None


def _die_with_parent():
    """The kernel ends the child when we are killed with -9, where no cleaning up is possible."""
    if _libc is not None:
        _libc.prctl(1, signal.SIGTERM)


def start(args, log, env=None, user=None, cwd=None):
    ids = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    with open(log, "ab") as out:
        child = subprocess.Popen(
            [str(arg) for arg in args],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=env,
            cwd=cwd,
            preexec_fn=_die_with_parent,
            start_new_session=True,
            **ids,
        )
    child.log = log
    _alive.append(child)
    return child


def stop(child, how=signal.SIGTERM, seconds=60):
    """True when it ended by itself."""
    if child in _alive:
        _alive.remove(child)
    if child.poll() is not None:
        return True
    child.send_signal(how)
    try:
        child.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        return False


@atexit.register
def _stop_all():
    for child in reversed(list(_alive)):
        stop(child, seconds=10)


def _leave(number, _frame):
    sys.exit(128 + number)


def leave_on_signals():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)


@contextlib.contextmanager
def scratch(user=None):
    """A short folder of its own, readable for `user` too, removed at the end."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fc-bench."))
    if user:
        folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port():
    """Below the range that outgoing connections take theirs from."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def log_end(child, lines=20):
    return "\n".join(pathlib.Path(child.log).read_text(errors="replace").splitlines()[-lines:])


def raise_open_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))
