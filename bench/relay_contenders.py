"""Relays that are measured in turn on one stack: ours at one of its levels, and Debezium in one of its profiles.

A contender relays auth.event_log into a topic while a `with` block runs: from the backlog behind a slot, or from now.
A block that fails ends the run and the stack with it, so only a block that ends well is cleaned up after.
"""
import contextlib
import pathlib
import subprocess

import yaml
from confluent_kafka.admin import AdminClient, NewTopic

from bench import frame, handover
from bench.debezium_worker import DebeziumWorker
from tests.support.observe import query, wait_for

OUR_SLOT = "countersign"
TOPICS = pathlib.Path(__file__).resolve().parents[1] / "deploy/topics.yaml"


class Ours:
    """The stack's relay. Its topic and slot are always the same: what it has relayed once it leaves out ever after."""

    def __init__(self, stack, level):
        self.name = level
        self.part = stack.part("relay")
        self._database = stack.variables()["DATABASE_URL"]

    def refusal(self):
        """Why this binary cannot run at this level, in its own words; None if it can."""
        environment = {**self.part.base_environment(), "RELAY_DELIVERY": self.name}
        done = subprocess.run([*self.part.command(), "--check-config"], env=environment, capture_output=True, text=True, check=False)
        said = (done.stderr or done.stdout).strip().splitlines()
        return (said[-1] if said else f"exit code {done.returncode}") if done.returncode else None

    def make_topic(self, _name):
        return handover.TOPIC

    def drop_topic(self, topic):
        pass

    def cpu_seconds(self):
        """It is started for each piece, so a start belongs to the piece."""
        return frame.cpu_seconds(self.part.pid) if self.part.running() else 0.0

    @contextlib.contextmanager
    def relaying(self, _topic, slot=None):
        """From a backlog the block begins at once; without one, when all that was written before is relayed."""
        self.part.environment["RELAY_DELIVERY"] = self.name
        self.part.start()
        if slot is None:
            caught_up(self._database)
        yield
        caught_up(self._database)
        self.part.stop()

    def trouble(self):
        return None


class Debezium:
    """One worker that runs all the time; a connector, and with it an offset, is new for every piece."""

    def __init__(self, stack, profile):
        self.name = profile
        self.part = DebeziumWorker(stack, profile)
        self._env = stack.variables()
        self._admin = AdminClient({"bootstrap.servers": self._env["KAFKA_BROKERS"], "log_level": 2})
        self._slot = None

    def make_topic(self, name):
        self._admin.create_topics([like_ours(name)])[name].result(30)
        return name

    def drop_topic(self, topic):
        self._admin.delete_topics([topic])[topic].result(30)

    def cpu_seconds(self):
        return frame.cpu_seconds(self.part.pid)

    @contextlib.contextmanager
    def relaying(self, topic, slot=None):
        self._slot = slot or topic.replace(".", "_")
        if slot is None:
            query(self._env["DATABASE_URL"], "SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", self._slot)
        self.part.attach(self._slot, topic)
        if slot is None:
            self._until(True, "the connector to stream")
        yield
        self.part.detach(self._slot)
        self._until(False, "the connector to let its slot go")
        query(self._env["DATABASE_URL"], "SELECT pg_drop_replication_slot(%s)", self._slot)

    def trouble(self):
        return self.part.failure(self._slot)

    def _until(self, active, what):
        wait_for(lambda: self.trouble() or query(self._env["DATABASE_URL"], "SELECT active FROM pg_replication_slots WHERE slot_name = %s",
                                                 self._slot) == [(active,)], what, 120, every=0.1)


def like_ours(name):
    """A topic with the settings of ours, but for the name: a record of another relay in ours would count as relayed."""
    declared = next(topic for topic in yaml.safe_load(TOPICS.read_text())["topics"] if topic["name"] == handover.TOPIC)
    return NewTopic(name, num_partitions=declared["partitions"], replication_factor=1,
                    config={key: str(value) for key, value in declared["config"].items()})


def copy_of_our_slot(database, name):
    """A slot from which another relay reads the same WAL that ours will read; ours must not run."""
    query(database, "SELECT pg_copy_logical_replication_slot(%s, %s)", OUR_SLOT, name)
    return name


def caught_up(database):
    """Waits until our slot is confirmed up to what is committed now; others' slots may wait where they are."""
    (now,) = query(database, "SELECT pg_current_wal_flush_lsn()::text")[0]
    wait_for(lambda: query(database, "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots WHERE slot_name = %s", now,
                           OUR_SLOT)[0][0], "Kafka to have every committed event", 120, every=0.1)
