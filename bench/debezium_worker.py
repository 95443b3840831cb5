"""A Kafka Connect worker with Debezium's PostgreSQL connector, as a part beside a stack's own."""
import json
import pathlib
import shutil
import time
import urllib.error
import urllib.request

from bench import debezium_profiles
from deploy.dev.kafka import LOGGING
from deploy.dev.maven import resolved
from deploy.dev.part import Part
from deploy.dev.process import StackError

POM = pathlib.Path(__file__).resolve().parents[1] / "deploy/packages/maven-debezium/pom.xml"
# What Kafka's own start script gives every JVM, and connect-distributed.sh its worker.
JAVA = ("-server", "-Xms256m", "-Xmx2g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
        "-XX:+ExplicitGCInvokesConcurrent", "-XX:MaxInlineLevel=15", "-Djava.awt.headless=true")


def jars():
    """The worker's jars, with folder `plugins` of the connector's beside them."""
    return resolved(POM, "debezium", unpack_plugin)


def unpack_plugin(folder):
    (bundle,) = folder.glob("debezium-connector-postgres-*-plugin.tar.gz")
    shutil.unpack_archive(bundle, folder / "plugins")
    bundle.unlink()


class DebeziumWorker(Part):
    """One JVM of one profile. Connectors come and go while it runs, so that it is warm when it is timed."""
    servers = ("postgres", "kafka")
    ready_seconds = 180   # several start at once, on cores that others use too
    stop_seconds = 30

    def __init__(self, stack, profile):
        self.name = f"debezium_{profile}"
        self.profile = profile
        self._asked = 0.0
        super().__init__(stack)

    def ports(self):
        return (f"{self.name}_rest",)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.stack.ports.get(self.ports()[0])}"

    def prepare(self):
        self._home.mkdir(parents=True, exist_ok=True)
        (self._home / "log4j2.xml").write_text(LOGGING)
        (self._home / "worker.properties").write_text(debezium_profiles.properties(
            debezium_profiles.worker(self.profile, self.stack.server("kafka").address, self.url, jars() / "plugins")))

    def command(self):
        java = shutil.which("java")
        if not java:
            raise StackError("debezium: no java is installed; `make setup` does that")
        return [java, *JAVA, f"-Dlog4j2.configurationFile={self._home / 'log4j2.xml'}", "-cp", f"{jars()}/*",
                "org.apache.kafka.connect.cli.ConnectDistributed", self._home / "worker.properties"]

    def serves(self):
        try:
            return self._ask("GET", "/connectors") is not None
        except OSError:
            return False

    def attach(self, slot, topic):
        """Relays from a slot into a topic until detach; the connector's name is the slot's."""
        self._until_accepted("PUT", f"/connectors/{slot}/config", debezium_profiles.connector(
            self.profile, self.stack.server("postgres").url("countersign_relay"), slot, topic))

    def detach(self, slot):
        self._until_accepted("DELETE", f"/connectors/{slot}")

    def failure(self, slot):
        """The first words of the trace if the connector or its task has failed; None while it is well.

        Asked at most every two seconds: the answer costs the worker CPU, which is measured.
        """
        if time.monotonic() < self._asked + 2:
            return None
        self._asked = time.monotonic()
        try:
            status = self._ask("GET", f"/connectors/{slot}/status")
        except OSError:   # not known yet, or the worker is just coming back
            return None
        failed = [part for part in (status["connector"], *status["tasks"]) if part["state"] == "FAILED"]
        return failed[0].get("trace", "no trace")[:500] if failed else None

    @property
    def _home(self):
        return self.stack.run_dir / "debezium" / self.profile

    def _until_accepted(self, method, path, body=None, seconds=60):
        """A worker that rebalances answers 409 and means: again."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self._ask(method, path, body)
            except urllib.error.HTTPError as error:
                if error.code != 409 or time.monotonic() > deadline:
                    raise StackError(f"{self.name}: {method} {path}: {error.code} {error.read().decode(errors='replace')[:500]}") from None
            time.sleep(0.2)

    def _ask(self, method, path, body=None):
        request = urllib.request.Request(f"{self.url}{path}", None if body is None else json.dumps(body).encode(),
                                         {"content-type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=90) as answer:
            text = answer.read()
            return json.loads(text) if text else {}
