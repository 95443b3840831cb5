"""The development stack: a private PostgreSQL, a real Kafka, the Twilio fake and the services.

usage: python -m deploy.dev.stack up|down|status|logs [options]

Everything it writes is below .run/ (see --run-dir). DATABASE_URL and KAFKA_BROKERS name existing
servers to use instead of private ones. Tests use class Stack directly:

    with Stack(run_dir=folder, fresh=True, settings={"otp": {"provider": "twilio-verify"}}) as stack:
        stack.part("relay").kill()
        stack.part("relay").start()
"""
import contextlib
import fcntl
import os
import pathlib
import shlex
import shutil
import sys
import threading

from deploy.dev import existing as existing_servers
from deploy.dev.kafka import Kafka, node_name
from deploy.dev.launch import run_in_order
from deploy.dev.ports import Ports
from deploy.dev.postgres import Postgres
from deploy.dev.process import StackError
from deploy.dev.provision import STEPS
from deploy.dev.secret_store import SecretStore, write_private
from deploy.dev.services import Auth, Otp, Relay, TwilioFake

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVERS = {"postgres": Postgres, "kafka": Kafka}
PARTS = {**SERVERS, "twilio": TwilioFake, "otp": Otp, "auth": Auth, "relay": Relay}


class Stack:
    """The stack of one run folder. Not thread safe, except that different parts may be driven from
    different threads.

    only:        names of the parts wanted; None: all
    build:       the build whose binaries run: release or asan
    settings:    part -> overrides of its configuration
    environment: part -> additions to its environment, for example failpoints
    embedded:    children die with this program, whatever kills it
    existing:    variables that may name servers to use (DATABASE_URL, KAFKA_BROKERS)
    fresh:       begin with empty servers
    brokers:     nodes of the Kafka cluster, parts kafka, kafka_2 ...; with three or more topics have three
                 replicas, of which two must take a record
    """

    def __init__(self, run_dir=ROOT / ".run", only=None, build="release", settings=None, environment=None,
                 embedded=True, existing=None, fresh=False, brokers=1):
        self.run_dir = pathlib.Path(run_dir).resolve()
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self.build = ROOT / "build" / build
        self.settings = settings or {}
        self.environment = environment or {}
        self.embedded = embedded
        self.fresh = fresh
        self.brokers = brokers
        self.giving_up = threading.Event()
        self.ports = Ports(self.run_dir)
        self.secrets = SecretStore(self.run_dir)
        self.keys_dir = self.run_dir / "keys"
        self.tls_dir = self.run_dir / "tls"
        unknown = set(only or ()) - set(PARTS)
        if unknown:
            raise StackError(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
        self._all = {name: make(self) for name, make in PARTS.items()}
        self._all.update({node_name(number): Kafka(self, number) for number in range(2, brokers + 1)})
        self._all.update(existing_servers.choose(existing or {}, self))
        self.parts = {name: part for name, part in self._all.items() if not only or name.partition("_")[0] in only}
        _reach_loopback_without_proxy()

    def part(self, name):
        return self.parts[name]

    def server(self, name):
        """Any part, wanted here or not: where its users find it."""
        return self._all[name]

    def binary(self, name):
        file = self.build / "bin" / name
        if not file.exists():
            raise StackError(f"{file} is missing; `make build` makes it")
        return file

    def start(self):
        """Starts what is not running; on any failure stops again what it started."""
        with self._lock():
            if self.fresh:
                self.remove_data()
                self.fresh = False
            stopped = [part for part in self.parts.values() if part.existing or not part.running()]
            self.giving_up.clear()
            try:
                self._start(stopped)
                self._write_environment()
            except BaseException:
                self._stop(stopped)
                raise
        return self

    def stop(self):
        """Stops all parts, services first. Returns the names of those that had to be killed."""
        with self._lock():
            return self._stop(list(self.parts.values()))

    def remove_data(self):
        """Forgets everything the servers hold; they must be stopped."""
        if any(part.existing for part in self._all.values()):
            raise StackError("existing servers are used: what they hold is not removed from here")
        if any(part.running() for part in self._all.values()):
            raise StackError("the stack is running")
        Postgres(self).remove_data()
        for folder in [*self.run_dir.glob("kafka*"), self.run_dir / "logs"]:
            shutil.rmtree(folder, ignore_errors=True)

    def remove(self):
        """Deletes the run folder and what belongs to it."""
        self.remove_data()
        shutil.rmtree(self.run_dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def variables(self):
        """What .run/env holds: of the parts wanted, and of others that run."""
        found = {}
        for name, part in self._all.items():
            if name in self.parts or part.running():
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

    def _start(self, parts):
        for part in parts:
            for server in part.servers:
                if server not in self.parts and not self.server(server).running():
                    raise StackError(f"{part.name} needs {server}, which does not run")
            part.renew_ports()   # before anything writes a neighbour's address down
        steps = [STEPS[name](self) for name in STEPS if any(name in part.after for part in parts)]
        tasks = {part.name: (part.servers + part.after, part.start) for part in parts}
        tasks.update({step.name: (step.after, step.run) for step in steps})
        run_in_order(tasks, self.giving_up)

    def _stop(self, parts):
        killed = []
        servers = [part for part in parts if part.name.partition("_")[0] in SERVERS]
        for group in ([part for part in parts if part not in servers], servers):
            stopping = [part for part in group if part.running()]
            for part in stopping:
                part.signal_stop()
            killed += [part.name for part in stopping if not part.wait_stopped()]
            for part in group:
                part.process.forget()
        return killed

    def _write_environment(self):
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in self.variables().items()]
        write_private(self.run_dir / "env", "".join(lines))

    @contextlib.contextmanager
    def _lock(self):
        with open(self.run_dir / "lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _reach_loopback_without_proxy():
    """Everything here talks over loopback, also where the environment names a proxy for the rest."""
    for name in ("no_proxy", "NO_PROXY"):
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        os.environ[name] = ",".join(dict.fromkeys([*hosts, "127.0.0.1", "localhost"]))


if __name__ == "__main__":
    from deploy.dev.cli import main
    sys.exit(main())
