"""Tickets that are not rows yet, looked at while the load runs and until none is left."""

import threading
import time

from .redis import Connection

EVERY_SECONDS = 0.02


class BacklogWatch(threading.Thread):
    def __init__(self, redis):
        super().__init__(daemon=True)
        self.connection = Connection(redis.port)
        self.seen = []
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(EVERY_SECONDS):
            self.seen.append((time.monotonic(), self.connection.unpersisted()))

    def close(self, ended_at, within_seconds):
        """(most tickets seen, seconds from `ended_at` until none was left or None)."""
        deadline = time.monotonic() + within_seconds
        empty_at = None
        while empty_at is None and time.monotonic() < deadline:
            time.sleep(EVERY_SECONDS)
            empty_at = next((at for at, tickets in self.seen if at >= ended_at and tickets == 0), None)
        self.over.set()
        self.join()
        self.connection.close()
        most = max(tickets for _, tickets in self.seen)
        return most, None if empty_at is None else empty_at - ended_at
