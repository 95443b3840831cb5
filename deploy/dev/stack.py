"""The development stack: a private PostgreSQL, a real Kafka, the Twilio fake and the services.

usage: python -m deploy.dev.stack up|down|status|logs [options]

Everything it writes is below .run/ (see --run-dir). DATABASE_URL and KAFKA_BROKERS name existing
servers to use instead of private ones. Tests use class Stack directly:

    with Stack(run_dir=folder, fresh=True) as stack:
        stack.part("relay").kill()
        stack.part("relay").start()
"""
import concurrent.futures
import contextlib
import fcntl
import os
import pathlib
import shutil
import sys
import time

from deploy.dev.kafka import Kafka
from deploy.dev.ports import Ports
from deploy.dev.postgres import Postgres
from deploy.dev.process import StackError
from deploy.dev.secret_store import SecretStore, write_private

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVERS = {"postgres": Postgres, "kafka": Kafka}
PARTS = SERVERS


class Stack:
    """The stack of one run folder. Not thread safe, except that different parts may be driven from
    different threads.

    only:        names of the parts wanted; None: all
    build:       the build whose binaries run: release, asan, chaos
    settings:    part -> overrides of its configuration
    environment: part -> additions to its environment, for example failpoints
    embedded:    children die with this program, whatever kills it
    existing:    take DATABASE_URL and KAFKA_BROKERS of the environment as servers to use
    fresh:       begin with empty servers
    """

    def __init__(self, run_dir=ROOT / ".run", only=None, build="release", settings=None, environment=None,
                 embedded=True, existing=False, fresh=False):
        self.run_dir = pathlib.Path(run_dir).resolve()
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self.build = ROOT / "build" / build
        self.settings = settings or {}
        self.environment = environment or {}
        self.embedded = embedded
        self.fresh = fresh
        self.ports = Ports(self.run_dir)
        self.secrets = SecretStore(self.run_dir)
        unknown = set(only or ()) - set(PARTS)
        if unknown:
            raise StackError(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
        self.parts = {name: make(self) for name, make in PARTS.items() if not only or name in only}

    def part(self, name):
        return self.parts[name]

    def start(self):
        """Starts what is not running; on any failure stops again what it started."""
        with self._lock():
            if self.fresh:
                self.remove_data()
            running_before = {name for name, part in self.parts.items() if part.running()}
            try:
                self._start_servers()
                self._write_environment()
            except BaseException:
                self._stop([part for name, part in self.parts.items() if name not in running_before])
                raise
        return self

    def stop(self):
        """Stops all parts, services first. Returns the names of those that had to be killed."""
        with self._lock():
            return self._stop(list(self.parts.values()))

    def remove_data(self):
        """Forgets everything the servers hold; they must be stopped."""
        if any(part.running() for part in self.parts.values()):
            raise StackError("the stack is running")
        Postgres(self).remove_data()
        for folder in ("kafka", "logs"):
            shutil.rmtree(self.run_dir / folder, ignore_errors=True)

    def remove(self):
        """Deletes the run folder and what belongs to it."""
        self.remove_data()
        shutil.rmtree(self.run_dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def variables(self):
        """What .run/env holds."""
        found = {}
        for part in self.parts.values():
            found.update(part.endpoints())
        return {**found, **self.test_environment()}

    def test_environment(self):
        """Where suites that need only a PostgreSQL or a Kafka find them."""
        found = {}
        if "postgres" in self.parts:
            found["COUNTERSIGN_TEST_DATABASE"] = self.parts["postgres"].conninfo()
        if "kafka" in self.parts:
            found["COUNTERSIGN_TEST_KAFKA"] = self.parts["kafka"].address
        return found

    def _start_servers(self):
        servers = [part for name, part in self.parts.items() if name in SERVERS]
        with concurrent.futures.ThreadPoolExecutor(max_workers=len(SERVERS)) as threads:
            for started in [threads.submit(part.start) for part in servers]:
                started.result()

    def _stop(self, parts):
        killed = []
        servers = [part for part in parts if part.name in SERVERS]
        for group in ([part for part in parts if part not in servers], servers):
            stopping = [part for part in group if part.running()]
            for part in stopping:
                part.signal_stop()
            killed += [part.name for part in stopping if not part.wait_stopped()]
            for part in group:
                part.process.forget()
        return killed

    def _write_environment(self):
        lines = [f"export {name}='{value}'\n" for name, value in self.variables().items()]
        write_private(self.run_dir / "env", "".join(lines))

    @contextlib.contextmanager
    def _lock(self):
        with open(self.run_dir / "lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def wait_for(condition, seconds, what):
    """Polls until the condition gives something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise StackError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


if __name__ == "__main__":
    from deploy.dev.cli import main
    sys.exit(main())
