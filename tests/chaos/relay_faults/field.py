"""The stack that is broken: PostgreSQL, three brokers and two relays, which reach both by proxies of ours."""
import contextlib
import os
import pathlib
import random
import signal
import subprocess
import time
import urllib.parse

import psycopg
from confluent_kafka.admin import AdminClient

from deploy.dev.services import Relay
from deploy.dev.stack import Stack
from tests.chaos.relay_faults.namespace import Namespace
from tests.chaos.relay_faults.proxy import Proxy
from tests.chaos.storm import Writers
from tests.support.observe import metric, query, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[3]
BROKERS = ("kafka", "kafka_2", "kafka_3")
SLOT = "countersign"
CAUGHT_UP = ("SELECT coalesce(bool_and(confirmed_flush_lsn >= %s::pg_lsn), false) FROM pg_replication_slots "
             f"WHERE slot_name = '{SLOT}'")
KAFKA_SECRET = "kafka.relay_password"
JAAS = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_relay="{}";'
PATIENCE = 240  # seconds for a broker to start: three of them and all the rest on a machine that others use too
TAKEOVER = 2  # seconds: the relay's takeover_after


class NotHappened(AssertionError):
    """The fault was not seen to happen, so the row proves nothing."""


def expect(condition, what):
    if not condition:
        raise NotHappened(f"the fault did not happen: {what}")


class ProxiedRelay(Relay):
    """A relay that reaches everything by the field's proxies."""

    def __init__(self, field, name):
        self.name = name
        super().__init__(field.stack)
        self.field, self.build, self.namespace, self.more = field, "release", None, {}

    def keys(self):
        return {"kafka.brokers": ",".join(f"{host}:{port}" for host, port in self.field.broker_addresses()),
                "kafka.sasl_mechanism": "PLAIN", "kafka.sasl_username": "relay", "kafka.allow_plaintext": True,
                "delivery": self.field.delivery, "takeover_after": f"{TAKEOVER}s", **self.more}

    @contextlib.contextmanager
    def set(self, more):
        """Starts it anew with further configuration, which the start after the block is without."""
        self.field.note_memory()
        self.stop()
        self.more = more
        self.start()
        try:
            yield
        finally:
            self.more = {}

    def secret_files(self):
        url = urllib.parse.urlsplit(self.stack.server("postgres").url("countersign_relay"))
        host, port = self.field.postgres_proxy.address
        proxied = url._replace(netloc=f"{url.username}:{url.password}@{host}:{port}").geturl()
        return {"RELAY_DATABASE_URL_FILE": self.stack.secrets.keep("relay_by_proxy.database_url", proxied),
                "RELAY_KAFKA_SASL_PASSWORD_FILE": self.stack.secrets.path(KAFKA_SECRET)}

    def address(self, port):
        return super().address(port) if not self.namespace else f"{self.namespace.inside}:{self.stack.ports.get(port)}"

    def command(self):
        program = ROOT / "build" / self.build / "bin" / self.binary
        entered = ["ip", "netns", "exec", self.namespace.name] if self.namespace else []
        return [*entered, program, "--strict", "--config", self._file]

    def leads(self):
        try:
            return metric(self.metrics, "relay_leader") == 1
        except OSError:
            return False

    def value(self, name, **labels):
        return metric(self.metrics, name, **labels)

    def peak_mib(self):
        """Of the process that runs now."""
        try:
            status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        except FileNotFoundError:
            return 0.0
        return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)

    def forget_peak(self):
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def log_size(self):
        return self.log.stat().st_size if self.log.exists() else 0

    def log_since(self, size):
        return self.log.read_bytes()[size:].decode(errors="replace") if self.log.exists() else ""


class Field:
    """Made once for all rows; heal() repairs what a row left broken."""

    def __init__(self, run_dir, seed, delivery, say=lambda text: None):
        self.seed, self.delivery, self.say = seed, delivery, say
        self.run_dir = pathlib.Path(run_dir)
        self.load, self.peak = None, 0.0
        self.short = True
        self._cleanups = contextlib.ExitStack()

    def start(self):
        self.stack = Stack(self.run_dir, only=("postgres", "kafka", "relay"), fresh=True, brokers=len(BROKERS), settings={
            "postgres": {"max_prepared_transactions": 10, "max_wal_size": "1GB"}})
        self.namespace = Namespace()
        self._place_proxies()
        self.relay, self.standby = ProxiedRelay(self, "relay"), ProxiedRelay(self, "relay_b")
        self.stack.parts["relay"] = self.stack._all["relay"] = self.relay
        self.stack.start()
        self.database = self.stack.part("postgres").url()
        self.brokers = self.stack.part("kafka").address
        self.admin = AdminClient({"bootstrap.servers": self.brokers, "log_level": 0})
        wait_for(self.relay.leads, "the relay to lead", 60)
        return self

    def stop(self):
        self._cleanups.close()
        for relay in (self.relay, self.standby):
            relay.process.send(signal.SIGCONT)
            relay.process.kill()
        for name in BROKERS:   # what they hold is thrown away: nothing to wait for
            self.stack.part(name).process.send(signal.SIGCONT)
            self.stack.part(name).kill()
        self.stack.stop()
        for proxy in [self.postgres_proxy, *self.kafka_proxies.values()]:
            proxy.close()
        self.namespace.close()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            with contextlib.suppress(Exception):
                self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def _place_proxies(self):
        host, ports = self.namespace.outside, self.stack.ports
        self.postgres_proxy = Proxy((host, 0), ports.get("postgres"))
        self.kafka_proxies = {}
        for name in BROKERS:
            own, proxied, controller = ports.get(name), ports.get(f"{name}_proxied"), ports.get(f"{name}_controller")
            self.stack.part(name).ready_seconds = PATIENCE
            proxy = self.kafka_proxies[name] = Proxy((host, 0), proxied, kafka=True)
            self.stack.part(name).settings.update({
                "listeners": f"BROKER://127.0.0.1:{own},RELAY://127.0.0.1:{proxied},CONTROLLER://127.0.0.1:{controller}",
                "advertised.listeners": f"BROKER://127.0.0.1:{own},RELAY://{host}:{proxy.address[1]}",
                # The relay has a name, so that rights can be taken from it alone.
                "listener.security.protocol.map": "BROKER:PLAINTEXT,RELAY:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
                "listener.name.relay.sasl.enabled.mechanisms": "PLAIN",
                "listener.name.relay.plain.sasl.jaas.config": JAAS.format(self.stack.secrets.get(KAFKA_SECRET)),
                "super.users": "User:ANONYMOUS",
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "allow.everyone.if.no.acl.found": "true",
                "replica.lag.time.max.ms": "3000",
            })

    def broker_addresses(self):
        return [proxy.address for proxy in self.kafka_proxies.values()]

    @property
    def proxies(self):
        return [self.postgres_proxy, *self.kafka_proxies.values()]

    def chance(self, name):
        return random.Random(f"{self.seed}-{name}")

    # What rows do and look at.
    @property
    def leader(self):
        """The relay that leads."""
        return wait_for(lambda: next((relay for relay in (self.relay, self.standby) if relay.running() and relay.leads()), None),
                        "a relay to lead", 60)

    def progress(self, transactions=30, seconds=60):
        """Until the load has committed so many more transactions."""
        goal = self.load.committed + transactions
        wait_for(lambda: self.load.committed >= goal, "the load to commit", seconds)

    def acknowledged(self, events=100, seconds=60):
        """Until the relay has brought so many more events."""
        relay = self.leader
        goal = relay.value("relay_events_total") + events
        wait_for(lambda: relay.value("relay_events_total") >= goal, "the relay to bring events", seconds)

    def query(self, sql, *parameters):
        return query(self.database, sql, *parameters)

    def execute(self, *statements):
        with psycopg.connect(self.database, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def settle(self, seconds=120):
        """Until Kafka has everything that is committed now."""
        (end,) = self.query("SELECT pg_current_wal_insert_lsn()::text")[0]
        wait_for(lambda: self.query(CAUGHT_UP, end)[0][0], "Kafka to have every committed event", seconds, every=0.1)

    def write(self, prefix, seed):
        return Writers(self.database, seed, prefix=prefix, writers=2, pause=0.01, long=0.005)

    def with_standby(self):
        """A second relay that stands by, until the next heal()."""
        if not self.standby.running():
            self.standby.start()
        return self.standby

    def note_memory(self):
        """The highest peak of a release relay in this row."""
        for relay in (self.relay, self.standby):
            if relay.running() and relay.build == "release":
                self.peak = max(self.peak, relay.peak_mib())

    def run_control(self, *words, **environment):
        return subprocess.run([ROOT / "build/release/bin/countersignctl", *words], capture_output=True, text=True, check=False,
                              env={**os.environ, "DATABASE_URL": self.database, "KAFKA_BROKERS": self.brokers, **environment})

    def heal(self):
        """Everything runs, nothing is cut, the first relay leads and is the only one."""
        for proxy in self.proxies:
            proxy.heal()
        self.namespace.up()
        servers = [self.stack.part(name) for name in ("postgres", *BROKERS)]
        for part in servers:
            part.process.send(signal.SIGCONT)
            part.spawn()   # all before the first is waited for: one broker alone finds no majority
        for part in servers:
            part.wait_ready()
        self.standby.process.send(signal.SIGCONT)
        self.relay.process.send(signal.SIGCONT)
        if self.standby.running():
            self.note_memory()
            self.standby.stop()
        if self.relay.running() and (self.relay.build != "release" or self.relay.environment or self.relay.namespace or self.relay.more):
            self.relay.stop()
        self.relay.build, self.relay.namespace, self.relay.more = "release", None, {}
        self.relay.environment.clear()
        if self.query("SELECT 1 FROM relay.parked LIMIT 1"):   # a red row's, which no later row shall meet
            self.relay.stop()
            self.execute("DELETE FROM relay.parked")
        if not self.relay.running():
            self.relay.start()
        wait_for(self.relay.leads, "the relay to lead", 60)
        self.all_in_sync()

    def all_in_sync(self, seconds=PATIENCE):
        def full():
            topics = self.admin.list_topics(timeout=10).topics
            return all(len(p.isrs) == len(BROKERS) and p.leader >= 0
                       for t in topics.values() if not t.topic.startswith("__") for p in t.partitions.values())
        wait_for(full, "all replicas to be in sync", seconds, every=0.2)


def drop_slot(field):
    """Of a relay that is stopped."""
    wait_for(lambda: field.query("SELECT NOT active FROM pg_replication_slots WHERE slot_name = %s", SLOT)[0][0], "the slot to be free")
    field.query("SELECT pg_drop_replication_slot(%s)", SLOT)


def now():
    return time.time()
