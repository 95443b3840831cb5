"""A run folder of the development stack, and a way to see every process that was started in it."""
import os
import pathlib
import shutil
import subprocess
import sys
import time
import uuid

from deploy.dev.stack import ROOT, Stack


class Sandbox:
    """A run folder and a mark in the environment by which whatever is started there is known."""

    def __init__(self, folder):
        self.folder = folder
        self.mark = f"COUNTERSIGN_SANDBOX={uuid.uuid4()}"
        shutil.rmtree(folder, ignore_errors=True)

    def environment(self, **more):
        name, value = self.mark.split("=")
        inherited = {key: text for key, text in os.environ.items() if key not in ("DATABASE_URL", "KAFKA_BROKERS")}
        return {**inherited, name: value, "PYTHONPATH": str(ROOT), **more}

    def command(self, *words, module="deploy.dev.stack"):
        return [sys.executable, "-m", module, *words, "--run-dir", str(self.folder)]

    def run(self, *words, module="deploy.dev.stack", timeout=120, **environment):
        """The command line in this folder: exit code, standard output and error."""
        return subprocess.run(self.command(*words, module=module), cwd=ROOT, env=self.environment(**environment),
                              capture_output=True, text=True, timeout=timeout, check=False)

    def variables(self):
        out = subprocess.run(["bash", "-c", f"set -a; source {self.folder}/env; env -0"], env={}, capture_output=True, check=True)
        pairs = [entry.split("=", 1) for entry in out.stdout.decode().split("\0") if "=" in entry]
        return {name: value for name, value in pairs if name not in ("PWD", "SHLVL", "_")}

    def processes(self):
        """pid -> command line of everything that carries the mark and lives."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                marked = self.mark.encode() in (entry / "environ").read_bytes().split(b"\0")
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
                if marked and state not in "ZX":
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
        return found

    def left_after(self, seconds=10):
        """What still lives when that long has passed; returns as soon as nothing does."""
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left

    def clear(self):
        Stack(self.folder).stop()
        Stack(self.folder).remove()
