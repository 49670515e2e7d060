"""Who used the processors: ours by name, others, and what the hypervisor took. Linux only; elsewhere
all figures are None."""

import os
import pathlib
import resource
import time

from .children import LINUX

TICK = os.sysconf("SC_CLK_TCK")


def _processes():
    """pid -> (parent, seconds with those of ended children)."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            found[int(entry.name)] = (int(fields[1]), sum(map(int, fields[11:15])) / TICK)
    return found


def _machine():
    fields = [int(word) / TICK for word in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _idle, _wait, irq, softirq, steal = fields[:8]
    return user + nice + system + irq + softirq, steal


class Account:
    """Between construction and `close`: seconds of `named` processes (name -> children of ours) and their
    children per name."""

    def __init__(self, named):
        self.named = named
        self.before = self._read()

    def _read(self):
        if not LINUX:
            return None
        processes = _processes()
        parents = {pid: parent for pid, (parent, _) in processes.items()}

        def root(pid):
            while pid not in roots and parents.get(pid, 0) > 1:
                pid = parents[pid]
            return pid

        roots = {child.pid: name for name, children in self.named.items() for child in children} | {2: "kernel"}
        spent = dict.fromkeys([*self.named, "kernel"], 0.0)
        for pid, (_, seconds) in processes.items():
            if name := roots.get(root(pid)):
                spent[name] += seconds
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        own = time.process_time()
        spent["generator"] = ended.ru_utime + ended.ru_stime
        busy, steal = _machine()
        return {"at": time.monotonic(), "spent": spent, "own": own, "busy": busy, "steal": steal}

    def close(self):
        """Seconds per name; `foreign` and `steal` in cores."""
        after = self._read()
        if after is None:
            return {**dict.fromkeys([*self.named, "generator"]), "foreign": None, "steal": None}
        elapsed = after["at"] - self.before["at"]
        spent = {name: after["spent"][name] - self.before["spent"][name] for name in after["spent"]}
        ours = sum(spent.values()) + after["own"] - self.before["own"]
        busy = after["busy"] - self.before["busy"]
        return {
            **spent,
            "foreign": max(0.0, (busy - ours) / elapsed),
            "steal": (after["steal"] - self.before["steal"]) / elapsed,
        }
