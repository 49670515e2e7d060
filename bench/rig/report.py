"""Medians with their range, and the two files that are kept: machine, versions, command, figures."""

import datetime
import json
import os
import platform
import re
import statistics
import subprocess

from .server import BINARY, ROOT


def spread(values, digits=1):
    """`median (least-most)`, or a dash where nothing could be measured."""
    values = [value for value in values if value is not None]
    if not values:
        return "-"
    median, least, most = statistics.median(values), min(values), max(values)
    return f"{median:,.{digits}f} ({least:,.{digits}f}-{most:,.{digits}f})"


def table(headings, rows):
    lines = ["| " + " | ".join(headings) + " |", "|---|" + "---:|" * (len(headings) - 1)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def _output(*command, pattern=r"(.*)"):
    try:
        text = subprocess.check_output(command, cwd=ROOT, text=True, stderr=subprocess.STDOUT)
    except (OSError, subprocess.CalledProcessError) as failure:
        text = getattr(failure, "output", None) or ""
    found = re.search(pattern, text)
    return found.group(1).strip() if found else "unknown"


def surroundings(**more):
    if os.path.exists("/proc/cpuinfo"):
        cpu = re.search(r"(?:model name|Model)\s*: (.*)", open("/proc/cpuinfo").read())
        cpu = cpu.group(1) if cpu else platform.machine()
        memory = int(re.search(r"MemTotal:\s+(\d+)", open("/proc/meminfo").read()).group(1)) * 1024
    else:
        cpu = _output("sysctl", "-n", "machdep.cpu.brand_string")
        memory = int(_output("sysctl", "-n", "hw.memsize"))
    return {
        "machine": {
            "cpu": cpu,
            "cores": os.cpu_count(),
            "memory": f"{memory / 2**30:.1f} GiB",
            "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        },
        "versions": {
            "firstcome": _output(str(BINARY), "--version", pattern=r"firstcome (.*)"),
            "commit": _output("git", "describe", "--always", "--dirty"),
            "redis": _output("redis-server", "--version", pattern=r"v=(\S+)"),
            "wrk": _output("wrk", "-v", pattern=r"wrk (\S+)"),
            "rustc": _output("rustc", "--version", pattern=r"rustc (\S+)"),
            **more,
        },
    }


def keep(name, smoke, title, body, figures, about, command):
    """Prints the text and writes both files; a smoke run is no result and goes to target/."""
    now = datetime.datetime.now(datetime.timezone.utc)
    machine, versions = about["machine"], about["versions"]
    text = "\n".join([
        f"# {title}", "", f"{now:%Y-%m-%dT%H:%M:%SZ}.", "", body, "",
        f"Machine: {machine['cpu']}, {machine['cores']} cores, {machine['memory']}, {machine['kernel']}.",
        "Versions: " + ", ".join(f"{key} {value}" for key, value in versions.items()) + ".",
        f"Command: `{command}`.", "",
    ])
    folder = ROOT / ("target/bench" if smoke else "bench/results")
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{now:%Y-%m-%d}-{name}"
    stem.with_suffix(".md").write_text(text)
    whole = {"date": now.isoformat(), **about, "command": command, **figures}
    stem.with_suffix(".json").write_text(json.dumps(whole, indent=1) + "\n")
    print(f"\n{text}\nkept: {stem.relative_to(ROOT)}.md and .json")
