"""The scripts of the working tree or of a commit, as Redis gets them, and one coupon that they serve."""

import re
import subprocess

from .server import ROOT

STOCK = 10**9
KEYS = ("{s}coupon", "{s}holders", "{s}records", "{s}unpersisted")
# What a call says for each argument of a header.
SAID = {
    "epoch": 1, "coupon_id": "bench", "total": STOCK, "per_user_limit": 1, "opens_at_ms": "", "closes_at_ms": "",
    "valid_for_ms": "", "key_id": "k1", "group": "persisters", "version": 1, "act_token": "bench", "stock_version": 1,
    "backlog_max": STOCK, "source": "issue", "key_ids": "k1", "claims": "",
}


class Scripts:
    """Those of a commit; of the working tree for `.`."""

    def __init__(self, commit="."):
        self.commit = commit

    def _file(self, path):
        if self.commit == ".":
            return (ROOT / path).read_text()
        return subprocess.check_output(["git", "show", f"{self.commit}:{path}"], cwd=ROOT, text=True)

    def joined(self, name):
        """A script with its parts in front of it, behind the line that sets flags."""
        text = self._file(f"lua/{name}.lua")
        named = re.search(r"^--! PARTS (.*)$", text, re.MULTILINE)
        parts = [self._file(f"lua/parts/{part}.lua") for part in (named.group(1).split() if named else [])]
        flags = re.match(r"#!.*\n|", text).group(0)
        return flags + "".join(parts) + text.removeprefix(flags)

    def arguments(self, name, replid):
        """What the header asks for, up to the list at its end."""
        header = " ".join(re.findall(r"^--! ARGV (.*)$", self._file(f"lua/{name}.lua"), re.MULTILINE))
        names = re.findall(r"\b\d+ (\w+)", header)
        return [{**SAID, "generation": replid}[argument] for argument in names]


class Coupon:
    """A coupon that its own preload put into a Redis, and calls for tickets of it."""

    def __init__(self, connection, scripts, issue=None):
        """`issue` is another script in the place of the issue script."""
        self.ask = connection.ask
        lines = self.ask("INFO", "replication").split("\r\n")
        replid = next(line.split(":")[1] for line in lines if line.startswith("master_replid:"))
        said = self.ask("EVAL", scripts.joined("preload"), len(KEYS), *KEYS, *scripts.arguments("preload", replid))
        if not said.startswith("applied"):
            raise SystemExit(f"preload: {said}")
        self.sha = self.ask("SCRIPT", "LOAD", issue or scripts.joined("issue"))
        self.arguments = scripts.arguments("issue", replid)

    def issue(self, users):
        return self.ask("EVALSHA", self.sha, len(KEYS), *KEYS, *self.arguments, *users)

    def holders(self):
        return int(self.ask("HLEN", KEYS[1])) - 1
