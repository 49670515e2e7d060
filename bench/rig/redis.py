"""A private redis-server, and the few words that are said to it."""

import socket
import time

from . import children

SHARDS = 16


class Redis:
    """`appendfsync` is a level of the append-only file, or `none` for a Redis without one."""

    def __init__(self, folder, appendfsync):
        folder.mkdir()
        self.port = children.free_port()
        durable = ["no"] if appendfsync == "none" else ["yes", "--appendfsync", appendfsync]
        self.child = children.start(
            ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", folder, "--save", "",
             "--appendonly", *durable, "--maxmemory-policy", "noeviction"],
            log=folder / "log",
        )
        deadline = time.monotonic() + 10
        while True:
            try:
                self.connection = Connection(self.port)
                break
            except OSError:
                if self.child.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"redis-server did not start:\n{children.log_end(self.child)}")
                time.sleep(0.02)

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/"

    def scripts(self):
        """(script calls, microseconds spent in them) since Redis started."""
        calls = usec = 0
        for line in self.connection.ask("INFO", "commandstats").splitlines():
            name, _, figures = line.partition(":")
            if name.removeprefix("cmdstat_") in ("eval", "evalsha", "fcall"):
                figures = dict(part.split("=") for part in figures.split(","))
                calls, usec = calls + int(figures["calls"]), usec + int(figures["usec"])
        return calls, usec

    def stop(self):
        self.connection.close()
        children.stop(self.child)


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.lines = self.socket.makefile("rb")

    def ask(self, *words):
        encoded = [str(word).encode() for word in words]
        self.socket.sendall(
            b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)
        )
        return self._reply()

    def _reply(self):
        line = self.lines.readline().decode().strip()
        kind, rest = line[:1], line[1:]
        if kind == "-":
            raise RuntimeError(line)
        if kind == "*":
            return [self._reply() for _ in range(int(rest))]
        if kind == "$":
            return None if rest == "-1" else self.lines.read(int(rest) + 2)[:-2].decode()
        return rest

    def unpersisted(self):
        """Tickets that are not rows yet."""
        keys = [f"fc:{{s{shard:02}}}:unpersisted" for shard in range(SHARDS)]
        return sum(int(tickets or 0) for tickets in self.ask("MGET", *keys))

    def close(self):
        self.socket.close()
