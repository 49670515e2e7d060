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


def times(values, firsts):
    """How many times those of the first the values are, round by round: `median (quartiles)`."""
    ratios = [value / first for value, first in zip(values, firsts) if value and first]
    if len(ratios) < 2:
        return "-"
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return f"{middle:.3f} ({low:.2f}-{high:.2f})"


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


def promises(broken):
    return [f"- **broken**: {text}" for text in broken] or ["- holds: every promise, after every run"]


def keep(name, options, title, body, figures, plots=None, **versions):
    """Prints the text and writes it, the figures and the plots (the end of the file's name -> SVG); a smoke
    run is no result and goes to target/."""
    now = datetime.datetime.now(datetime.timezone.utc)
    about = surroundings(**versions)
    folder = ROOT / ("target/bench" if options.smoke else "bench/results")
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{now:%Y-%m-%d}-{name}"
    shown = []
    for end, drawing in (plots or {}).items():
        (folder / f"{stem}{end}.svg").write_text(drawing)
        shown += ["", f"![plot]({stem}{end}.svg)"]
    machine = about["machine"]
    text = "\n".join([
        f"# {title}", "", f"{now:%Y-%m-%dT%H:%M:%SZ}.", "", body, *shown, "",
        f"Machine: {machine['cpu']}, {machine['cores']} cores, {machine['memory']}, {machine['kernel']}.",
        "Versions: " + ", ".join(f"{key} {value}" for key, value in about["versions"].items()) + ".",
        f"Command: `{options.command}`.", "",
    ])
    (folder / f"{stem}.md").write_text(text)
    whole = {"date": now.isoformat(), **about, "command": options.command, **figures}
    (folder / f"{stem}.json").write_text(json.dumps(whole, separators=(",", ":")) + "\n")
    print(f"\n{text}\nkept: {(folder / stem).relative_to(ROOT)}.md and .json")
