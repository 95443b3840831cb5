"""The pieces of a comparison of relays: a backlog is drained, events are relayed live, a relay is killed.

Each is judged from the outside: rows in the database against records in Kafka, joined by event id. Times are the rows'
own (clock_timestamp() of the INSERT, so the commit is included) and the broker's append times, cut off to
milliseconds, of which half of one is added; live, also when a reader of committed records had an event, since a
transaction's records are in the topic before anybody may see them.
"""
import contextlib
import dataclasses
import itertools
import os
import pathlib
import subprocess
import threading
import time

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, TopicPartition

from bench import frame, handover
from deploy.dev.postgres import server_programs
from tests.chaos.ledger import Record, Row, check
from tests.support.observe import headers_of, query, wait_for, watermarks

CLIENTS = 8
WARM_SECONDS = 2    # of live load before what counts
QUIET_SECONDS = 1   # without a record after the last one that is due: nothing is doubled later
PATIENCE = 600      # for one piece, in seconds: cores may be shared
_runs = itertools.count(int(time.time()))


class Reader:
    """Reads a topic from where it ends now, as a read_committed consumer sees it."""

    def __init__(self, brokers, topic):
        self._topic = topic
        self._consumer = Consumer({"bootstrap.servers": brokers, "group.id": "bench", "enable.auto.commit": False,
                                   "isolation.level": "read_committed", "log_level": 2})
        # A topic that was made just now has none for a moment.
        partitions = wait_for(lambda: self._consumer.list_topics(topic, timeout=30).topics[topic].partitions, f"the partitions of {topic}")
        self._starts = [TopicPartition(topic, p, self._end(p)) for p in partitions]
        self._consumer.assign(self._starts)
        self.records = []
        self.appended = {}   # event id -> time of its first record
        self.received = {}   # event id -> when it was here, of what came while following

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._consumer.close()

    def appended_count(self):
        """Records since the start by the topic's ends. Markers of transactions count, too, so it may be too high."""
        return sum(self._end(place.partition) - place.offset for place in self._starts)

    def poll(self, seconds=0.2):
        """Takes what is there; the number of records."""
        messages = [m for m in self._consumer.consume(2000, timeout=seconds) if not m.error()]
        for message in messages:
            self._take(message)
        return len(messages)

    @contextlib.contextmanager
    def following(self):
        """Takes each record when it comes, in a thread; nothing else may be asked of the reader in the block."""
        over, faults = threading.Event(), []

        def follow():
            try:
                while not over.is_set():
                    message = self._consumer.poll(0.05)
                    now = time.time()
                    if message is not None and not message.error():
                        self.received.setdefault(self._take(message), now)
            except Exception as fault:  # for the one who waits
                faults.append(fault)

        thread = threading.Thread(target=follow)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        if faults:
            raise faults[0]

    def read_until(self, events, seconds=60):
        """Reads until so many events are there and nothing follows; what is missing then is for the ledger."""
        deadline = time.monotonic() + seconds
        quiet_since = time.monotonic()
        while time.monotonic() < deadline:
            if self.poll():
                quiet_since = time.monotonic()
            elif len(self.appended) >= events and time.monotonic() - quiet_since >= QUIET_SECONDS:
                return

    def _take(self, message):
        kind, appended = message.timestamp()
        if kind != TIMESTAMP_LOG_APPEND_TIME:
            raise RuntimeError(f"topic {self._topic} does not keep append times")
        record = ledger_record(message)
        self.records.append(record)
        self.appended.setdefault(record.event_id, appended / 1e3 + 0.0005)
        return record.event_id

    def _end(self, partition):
        return watermarks(self._consumer, TopicPartition(self._topic, partition), timeout=30)[1]


def ledger_record(message):
    """For the checker a record stands in the topic that its row names, whatever topic the contender was given."""
    headers = headers_of(message)
    return Record(handover.TOPIC, message.partition(), message.offset(), message.key().decode(), headers["ce_id"], headers["ce_type"],
                  int(headers["ce_sequence"]), message.value().decode())


@dataclasses.dataclass(frozen=True)
class Written:
    """Committed rows of a piece, and when each was written, by event id."""
    rows: list
    times: dict


def written_since(database, last_id):
    rows, times = [], {}
    for *columns, written in query(database, "SELECT id, event_id::text, topic, key, type, seq, payload::text, "
                                   "extract(epoch FROM occurred_at)::float8 FROM auth.event_log WHERE id > %s ORDER BY id", last_id):
        rows.append(Row(*columns))
        times[columns[1]] = written
    return Written(rows, times)


def last_id(database):
    return query(database, "SELECT coalesce(max(id), 0) FROM auth.event_log")[0][0]


def pgbench(database, *options, clients=CLIENTS):
    """The command that writes events, with keys of its own."""
    return [server_programs() / "pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-D", "n=-1", "-D", f"run={next(_runs)}",
            "-f", frame.ROOT / "bench/sql/ledger_event.sql", *map(str, options), database]


def write_backlog(database, events):
    """Its commits wait for no disk: how long this takes is no figure."""
    clients = 16
    done = subprocess.run(pgbench(database, "-t", events // clients, clients=clients), capture_output=True, text=True, check=False,
                          env={**os.environ, "PGOPTIONS": "-c synchronous_commit=off"})
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)


def write_live(database, seconds):
    subprocess.run(pgbench(database, "-R", handover.PER_SECOND, "-T", round(seconds)), check=True, capture_output=True)


@contextlib.contextmanager
def writing(database):
    """At the live rate while the block runs."""
    process = subprocess.Popen(pgbench(database, "-R", handover.PER_SECOND, "-T", 3600), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        yield process
        if process.poll() is not None:
            raise RuntimeError("pgbench ended early")
    finally:
        process.terminate()
        process.wait()


def arrived(contender, reader, count, seconds=PATIENCE):
    """Waits for so many records without reading them, which would take the cores from the relay."""
    deadline = time.monotonic() + seconds
    while (there := reader.appended_count()) < count:
        if trouble := contender.trouble():
            raise RuntimeError(f"{contender.name}: {trouble}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"{contender.name}: after {seconds} s only {there} of {count} records")
        time.sleep(0.2)


def drain(contender, env, topic, backlog, slot):
    """A backlog that is committed already; timed from its first to its last record in Kafka."""
    with Reader(env["KAFKA_BROKERS"], topic) as reader:
        forget_peak(contender)
        before = contender.cpu_seconds()
        with contender.relaying(topic, slot):
            arrived(contender, reader, len(backlog.rows))
            cpu, memory = contender.cpu_seconds() - before, memory_of(contender)
            reader.read_until(len(backlog.rows))
    times = reader.appended.values()
    return {"per_second": (len(times) - 1) / (max(times) - min(times)), "cpu_s_per_million": cpu / len(backlog.rows) * 1e6, **memory,
            **handover.ledger(check(backlog.rows, reader.records))}


def live(contender, env, topic, seconds):
    """At the live rate; the first seconds only warm up."""
    database = env["DATABASE_URL"]
    with contender.relaying(topic), Reader(env["KAFKA_BROKERS"], topic) as reader:
        first = last_id(database)
        write_live(database, WARM_SECONDS)
        warm = written_since(database, first)
        arrived(contender, reader, len(warm.rows))
        forget_peak(contender)
        before = contender.cpu_seconds()
        with reader.following():
            write_live(database, seconds)
            cpu, memory = contender.cpu_seconds() - before, memory_of(contender)
            written = written_since(database, first)
            caught_up_reading(contender, reader, len(written.rows))
        reader.read_until(len(written.rows))
    counted = written.times.keys() - warm.times.keys()
    return {**latencies(written.times, reader.appended, counted), **latencies(written.times, reader.received, counted, "read_"), "cpu_s_per_million": cpu / len(counted) * 1e6, **memory,
            **handover.ledger(check(written.rows, reader.records))}


def caught_up_reading(contender, reader, count):
    """Until a reader that follows has so many events; what does not come is for the ledger."""
    deadline = time.monotonic() + 60
    while len(reader.appended) < count and time.monotonic() < deadline and not contender.trouble():
        time.sleep(0.05)


def latencies(written, arrived_at, counted, prefix=""):
    ordered = sorted((arrived_at[event] - written[event]) * 1e3 for event in counted if event in arrived_at)
    return {f"{prefix}{name}_ms": frame.percentile(ordered, share) for name, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))}


def restart(contender, env, topic, seconds):
    """kill -9 under load and a start at once, until a new event is in Kafka: one written after that start."""
    database = env["DATABASE_URL"]
    with contender.relaying(topic), Reader(env["KAFKA_BROKERS"], topic) as reader:
        first = last_id(database)
        with writing(database):
            arrived(contender, reader, handover.PER_SECOND * seconds)
            contender.part.kill()
            started = time.time()
            contender.part.spawn()
            new = wait_for(lambda: query(database, "SELECT event_id::text FROM auth.event_log WHERE id > %s "
                                         "AND occurred_at >= to_timestamp(%s) ORDER BY id LIMIT 1", first, started), "the writer")[0][0]
            wait_for(lambda: reader.poll() and new in reader.appended, f"a new event of {contender.name}", PATIENCE, every=0)
            contender.part.wait_ready()
        written = written_since(database, first)
        reader.read_until(len(written.rows))
    seen = [handover.Seen(at, reader.appended[event]) for event, at in written.times.items() if event in reader.appended]
    fault = handover.Fault(at=started, new_from=started, streaming=started, left_out=0)
    times = handover.outcome(fault, seen, float("inf"))
    return {**{key: times[key] for key in ("first_new_s", "first_any_s", "longest_wait_s")},
            **handover.ledger(check(written.rows, reader.records))}


def forget_peak(contender):
    """So that VmHWM is of this piece. A contender that is not running begins with none."""
    if contender.part.running():
        pathlib.Path(f"/proc/{contender.part.pid}/clear_refs").write_text("5")


def memory_of(contender):
    return {"rss_mib": frame.resident_mib(contender.part.pid), "peak_mib": frame.resident_mib(contender.part.pid, "VmHWM")}
