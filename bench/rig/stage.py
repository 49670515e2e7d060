"""What a run stands on: a Redis of its own with its servers, and the promises that broke there."""

import dataclasses
import sys

from .load import noise, wrk
from .naive import Naive
from .redis import Redis
from .server import Server

WORKERS = 2
QUIET_CORES = 0.1
REPEATS = 3


@dataclasses.dataclass(frozen=True)
class Setting:
    appendfsync: str = "everysec"
    persister: bool = False
    servers: int = 1
    naive: bool = False


class Stage:
    """Servers of its own, so that nothing of another stage stands in its way."""

    def __init__(self, folder, setting, load, database_url, postgres, variables=None):
        folder.mkdir()
        self.load = load
        self.name = folder.name
        self.broken = []
        self.redis = Redis(folder / "redis", setting.appendfsync)
        if setting.naive:
            self.servers = [Naive(folder / "naive", self.redis, database_url, WORKERS)]
        else:
            self.servers = [
                Server(folder / f"server{number}", self.redis, database_url, setting.persister,
                       WORKERS // setting.servers, variables)
                for number in range(setting.servers)
            ]
        self.named = {
            "server": [server.child for server in self.servers],
            "redis": [self.redis.child],
            "postgres": [postgres.child],
        }
        # Connections, pages and the processor's clock are warm before anything counts.
        wrk(self.servers, [("/healthz", 1)], dataclasses.replace(load, seconds=1, rate=None), self.named)

    @property
    def server(self):
        return self.servers[0]

    def run(self, paths, load=None, **users):
        """A run of wrk, with what Redis says of the scripts that it called meanwhile."""
        calls, usec = self.redis.scripts()
        result = wrk(self.servers, paths, load or self.load, self.named, **users)
        calls_after, usec_after = self.redis.scripts()
        return {**result, "script_calls": calls_after - calls, "script_usec": usec_after - usec}

    def measure(self, target, patience):
        result = patience.quiet(lambda: target.measure(self))
        print(f"{self.name}: {target.name} {result['per_second']:,.0f}/s", file=sys.stderr)
        return result

    def promise(self, text, holds):
        if not holds:
            self.broken.append(f"{self.name}: {text}")
            print(f"BROKEN: {self.broken[-1]}", file=sys.stderr)

    def stop(self):
        for server in self.servers:
            self.promise("the server ends when it is asked to", server.stop())
        self.redis.stop()


class Patience:
    """Repeats what was disturbed, as long as there is time for that in all."""

    def __init__(self, seconds):
        self.seconds_left = seconds

    def quiet(self, measure):
        """The run without foreign load, or the least disturbed of a few."""
        runs = [measure()]
        while (noise(runs[-1]) or 0) > QUIET_CORES and len(runs) < REPEATS and self.seconds_left > 0:
            runs.append(measure())
            self.seconds_left -= runs[-1]["seconds"]
        return min(runs, key=lambda run: noise(run) or 0)
