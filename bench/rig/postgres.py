"""A private PostgreSQL cluster with its default, full durability."""

import glob
import os
import pathlib
import pwd
import secrets
import shutil
import signal
import subprocess
import time

from . import children


def programs():
    """Where the server programs are: pg_config, PATH, Debian's versioned folders, brew."""
    folders = []
    if shutil.which("pg_config"):
        folders.append(subprocess.check_output(["pg_config", "--bindir"], text=True).strip())
    if shutil.which("initdb"):
        folders.append(os.path.dirname(shutil.which("initdb")))
    folders += sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    if shutil.which("brew"):
        prefix = subprocess.check_output(["brew", "--prefix"], text=True).strip()
        folders += sorted(glob.glob(f"{prefix}/opt/postgresql@*/bin"), reverse=True)
    for folder in map(pathlib.Path, folders):
        if all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
            return folder
    raise SystemExit("no PostgreSQL server programs: run .make/ensure postgres")


def owner():
    """PostgreSQL refuses to run as root."""
    return pwd.getpwnam("postgres") if os.geteuid() == 0 else None


class Postgres:
    def __init__(self, folder):
        bin_folder, user = programs(), owner()
        self.version = subprocess.check_output([bin_folder / "postgres", "--version"], text=True).split()[2]
        self.port = children.free_port()
        self.password = secrets.token_hex(16)
        self.createdb = shutil.which("createdb") or bin_folder / "createdb"
        cluster, secret, log = folder / "cluster", folder / "password", folder / "log"
        folder.mkdir()
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        if user:
            for path in (folder, secret):
                os.chown(path, user.pw_uid, user.pw_gid)
        made = children.start(
            [bin_folder / "initdb", "-D", cluster, "-U", "fc", "-A", "scram-sha-256", f"--pwfile={secret}",
             "-E", "UTF8", "--locale=C"],
            log=log, user=user, cwd=folder,
        )
        if made.wait(120) != 0:
            raise SystemExit(f"initdb failed:\n{children.log_end(made)}")
        self.child = children.start(
            [bin_folder / "postgres", "-D", cluster, "-p", self.port, "-c", "listen_addresses=127.0.0.1",
             "-c", "unix_socket_directories="],
            log=log, user=user, cwd=folder,
        )

    def database(self, name):
        """A new database; its URL."""
        deadline = time.monotonic() + 30
        env = {**os.environ, "PGPASSWORD": self.password}
        while True:
            made = subprocess.run(
                [self.createdb, "-h", "127.0.0.1", "-p", str(self.port), "-U", "fc", name],
                env=env, capture_output=True, text=True,
            )
            if made.returncode == 0:
                return f"postgres://fc:{self.password}@127.0.0.1:{self.port}/{name}"
            if self.child.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"PostgreSQL did not start: {made.stderr}\n{children.log_end(self.child)}")
            time.sleep(0.1)

    def stop(self):
        children.stop(self.child, signal.SIGINT)
