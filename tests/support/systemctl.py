"""A systemctl for tests of scripts that call it: really starts and stops the programs of the units in
$COUNTERSIGN_UNITS, with $COUNTERSIGN_ETC as their configuration, and writes down what it was asked.

usage: python -m tests.support.systemctl daemon-reload | start|restart|stop|is-active|enable UNIT...
"""
import hashlib
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

from deploy.dev.process import Identity
from tests.support.units import Launch, Unit


class Manager:
    def __init__(self, units, etc, state):
        self.units, self.etc, self.state = map(pathlib.Path, (units, etc, state))
        self.state.mkdir(parents=True, exist_ok=True)
        # Of all calls for this state: what one call starts goes on when it has ended.
        self.runtime = pathlib.Path(tempfile.gettempdir()) / f"units-{hashlib.sha256(str(self.state).encode()).hexdigest()[:12]}"

    def unit(self, name):
        stem, _, kind = name.rpartition(".")
        before, at, instance = stem.partition("@")
        return Unit(self.units / (f"{before}@.{kind}" if at else name), instance)

    def log(self, name):
        return self.state / f"{name}.log"

    def running(self, name):
        identity = self._identity(name)
        return bool(identity and identity.alive())

    def start(self, name):
        if name.endswith(".timer") or self.running(name):
            return 0
        unit = self.unit(name)
        with self.log(name).open("a") as log:
            for command in unit.values("ExecStart"):
                launch = Launch.of(unit, self.etc, self.state / f"{name}.credentials", command, self.runtime)
                process = launch.start(stderr=log, more=_additions(), stdout=log, start_new_session=True)
                if unit.value("Type") == "oneshot" and (failed := process.wait(60)):
                    return failed
        if unit.value("Type") == "oneshot":
            return 0
        identity = Identity.of(process.pid)
        (self.state / f"{name}.pid").write_text(f"{identity.pid} {identity.started} {identity.boot}")
        return 0

    def stop(self, name):
        identity = self._identity(name)
        if not identity or not identity.alive():
            return 0
        os.kill(identity.pid, signal.SIGTERM)
        deadline = time.monotonic() + self.unit(name).seconds("TimeoutStopSec")
        while identity.alive():
            if time.monotonic() > deadline:
                os.kill(identity.pid, signal.SIGKILL)
                return 1
            time.sleep(0.02)
        return 0

    def stop_all(self):
        """Names of those that had to be killed."""
        killed = [file.stem for file in self.state.glob("*.pid") if self.stop(file.stem)]
        shutil.rmtree(self.runtime, ignore_errors=True)
        return killed

    def _identity(self, name):
        try:
            pid, started, boot = (self.state / f"{name}.pid").read_text().split()
        except FileNotFoundError:
            return None
        return Identity(int(pid), int(started), boot)


def _additions():
    """TEST_UNIT_X=y is X=y for the units, as a drop-in would have it."""
    return {name.removeprefix("TEST_UNIT_"): text for name, text in os.environ.items() if name.startswith("TEST_UNIT_")}


def main(verb, *names):
    manager = Manager(os.environ["COUNTERSIGN_UNITS"], os.environ["COUNTERSIGN_ETC"], os.environ["SYSTEMCTL_STATE"])
    names = [name for name in names if not name.startswith("-")]
    with (manager.state / "calls").open("a") as calls:
        calls.write(" ".join((verb, *names)) + "\n")
    if verb == "is-active":
        print("active" if manager.running(names[0]) else "failed")
        return 0 if manager.running(names[0]) else 3
    if verb in ("stop", "restart"):
        for name in names:
            manager.stop(name)
    if verb in ("start", "restart"):
        return max(manager.start(name) for name in names)
    if verb == "enable":
        return 0 if all(manager.unit(name).values("WantedBy", "Install") for name in names) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
