"""A private redis-server, and the few words that are said to it."""

import socket
import time

from . import children


class Redis:
    def __init__(self, folder, appendfsync):
        folder.mkdir()
        self.port = children.free_port()
        self.child = children.start(
            ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", folder, "--save", "",
             "--appendonly", "yes", "--appendfsync", appendfsync, "--maxmemory-policy", "noeviction"],
            log=folder / "log",
        )
        deadline = time.monotonic() + 10
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=10)
                self.lines = self.socket.makefile("rb")
                break
            except OSError:
                if self.child.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"redis-server did not start:\n{children.log_end(self.child)}")
                time.sleep(0.02)

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/"

    def ask(self, *words):
        encoded = [str(word).encode() for word in words]
        self.socket.sendall(
            b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)
        )
        line = self.lines.readline().decode().strip()
        if line.startswith("-"):
            raise RuntimeError(f"{words}: {line}")
        if line.startswith("$"):
            return self.lines.read(int(line[1:]) + 2)[:-2].decode()
        return line[1:]

    def appendfsync(self, level):
        self.ask("CONFIG", "SET", "appendfsync", level)

    def script_usec(self):
        """Microseconds that Redis has spent in scripts since it started."""
        total = 0
        for line in self.ask("INFO", "commandstats").splitlines():
            name, _, figures = line.partition(":")
            if name.removeprefix("cmdstat_") in ("eval", "evalsha", "fcall"):
                total += int(dict(part.split("=") for part in figures.split(","))["usec"])
        return total

    def stop(self):
        self.socket.close()
        children.stop(self.child)
