"""What countersign-log.timer runs, from an install prefix: it makes the days of the event logs ahead, drops those past
their age, and only what a real relay's checkpoint says is in Kafka."""
import datetime
import secrets
import signal
import subprocess
import threading
import time

import psycopg
import pytest

from tests.support.host import Host, install
from tests.support.observe import headers_of, metric, query, raw_records, wait_for
from tests.support.running import Running, unit_of

SCHEMAS = ("auth", "otp")
MAKE_OLD = """
DO $$ DECLARE day date := (now() AT TIME ZONE 'UTC')::date - {age}; BEGIN
  EXECUTE format('CREATE TABLE {schema}.event_log_%s PARTITION OF {schema}.event_log FOR VALUES FROM (%L) TO (%L)',
    to_char(day, 'YYYYMMDD'), day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
END $$"""
INSERT = ("INSERT INTO {schema}.event_log (event_id, topic, key, type, seq, payload, occurred_at) VALUES (gen_random_uuid(), "
          "'{schema}.log', %s, 'test.old', 1, %s, (((now() AT TIME ZONE 'UTC')::date - %s) + time '12:00') AT TIME ZONE 'UTC') "
          "RETURNING event_id::text")
APPEND = ("INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload) VALUES (gen_random_uuid(), 'auth.log', %s, 'test.new', "
          "1, '{}')")
TOO_LARGE = f'"{"x" * 2_000_000}"'
MOST_WAITED = 1.0    # lock_timeout is 50 ms, twice; the rest is this machine's business


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    return install(tmp_path_factory.mktemp("prefix"))


@pytest.fixture(scope="module")
def host(tmp_path_factory, prefix, provisioned):
    made = Host(tmp_path_factory.mktemp("host"), provisioned)
    done = made.run(prefix, "provision")
    assert done.returncode == 0, done.stderr
    made.fill()
    return made


@pytest.fixture(scope="module")
def relay(host, prefix):
    with Running(host, unit_of(host, prefix, "relay"), host.metrics("relay")) as running:
        wait_for(lambda: metric(host.metrics("relay"), "relay_leader") == 1, "the relay to lead")
        query(host.stack.server("postgres").url(), APPEND + " RETURNING 1", "first")
        wait_for(lambda: host.run(prefix, "ctl", "log", "drop", "--keep", "400d", "--dry-run").returncode == 0, "a checkpoint", every=0.3)
        yield running


class Timer:
    """What the timer of an installed release starts."""

    def __init__(self, host, prefix):
        self.host, self.unit = host, host.unit(prefix, "countersign-log.service")
        self.database = host.stack.server("postgres").url()
        self.brokers = host.stack.server("kafka").address

    def run(self, code=0):
        """All of its commands in turn, as systemd does; what they said."""
        said = ""
        for command in self.unit.values("ExecStart"):
            process = self.host.launch(self.unit, command).start(stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            out, _ = process.communicate(timeout=60)
            said += out
            if process.returncode:
                break
        assert process.returncode == code, said
        return said

    def make_old(self, *ages, schemas=SCHEMAS):
        for schema in schemas:
            for age in ages:
                with psycopg.connect(self.database, autocommit=True) as connection:
                    connection.execute(MAKE_OLD.format(schema=schema, age=age))

    def append(self, age, schema="auth", payload="{}"):
        """An event of a day past; its id."""
        return query(self.database, INSERT.format(schema=schema), f"key-{secrets.token_hex(4)}", payload, age)[0][0]

    def ages(self, schema="auth"):
        rows = query(self.database, "SELECT (now() AT TIME ZONE 'UTC')::date - day FROM " + schema + ".log_ended('infinity')")
        return [age for (age,) in rows]

    def drops(self, what, schema="auth"):
        """Runs it until it has: the relay writes its checkpoints in its own time."""
        return wait_for(lambda: f"{schema}: dropped {what}" in self.run(), f"{what} of {schema} to be dropped", every=0.3)

    def in_kafka(self, topic="auth.log"):
        return {headers_of(record)["ce_id"] for record in raw_records(self.brokers, (topic,))}


@pytest.fixture
def timer(host, prefix):
    made = Timer(host, prefix)
    yield made
    assert not query(made.database, "SELECT * FROM relay.parked")


def test_it_makes_and_drops_and_can_be_repeated(timer, relay):
    timer.make_old(500, 402, 399)
    events = {schema: [timer.append(age, schema) for age in (500, 402, 399)] for schema in SCHEMAS}
    query(timer.database, "SELECT auth.log_make(14)")
    future = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=9)).strftime("%Y%m%d")
    with psycopg.connect(timer.database, autocommit=True) as connection:
        connection.execute(f"DROP TABLE auth.event_log_{future}")
    assert "auth: made 1 partition\n" in timer.run()
    wait_for(lambda: timer.run() and timer.ages() == timer.ages("otp") == [399], "the old days to be dropped", every=0.3)
    assert timer.run() == ("auth: made 0 partitions\notp: made 0 partitions\n"
                           "auth: dropped 0 partitions\notp: dropped 0 partitions\n")
    for schema in SCHEMAS:
        assert set(events[schema]) <= timer.in_kafka(f"{schema}.log"), "what was dropped is in Kafka"
        rows = query(timer.database, f"SELECT event_id::text FROM {schema}.event_log WHERE type = 'test.old'")
        assert rows == [(events[schema][2],)], "what is younger stays"


def test_the_age_is_what_migrate_env_says(timer, host, relay):
    file = host.etc / "migrate.env"
    good = file.read_text()
    timer.make_old(41)
    timer.run()
    assert 41 in timer.ages()
    file.write_text(good + "LOG_KEEP=40d\n")
    try:
        timer.drops("2 partitions" if 399 in timer.ages() else "1 partition")
        assert timer.ages() == []
        file.write_text(good + "LOG_KEEP=forever\n")
        assert "--keep" in timer.run(code=64)
    finally:
        file.write_text(good)


def test_what_a_relay_that_is_behind_has_not_brought_stays_until_it_has(timer, relay):
    timer.make_old(601, 600, 598, schemas=("auth",))
    brought = timer.append(601)
    wait_for(lambda: brought in timer.in_kafka(), "the first event in Kafka")
    relay.process.send_signal(signal.SIGSTOP)
    try:
        late = timer.append(600)
        for _ in range(2):
            timer.run()
        assert [age for age in timer.ages() if age > 400][-2:] == [600, 598], "nor does a later day go before it"
        assert late not in timer.in_kafka()
    finally:
        relay.process.send_signal(signal.SIGCONT)
    wait_for(lambda: timer.run() and not [age for age in timer.ages() if age > 400], "the days to be dropped", every=0.3)
    assert late in timer.in_kafka()


def test_while_an_event_is_parked_nothing_is_dropped(timer, relay, host, prefix):
    timer.make_old(700, schemas=("auth",))
    event = timer.append(700, payload=TOO_LARGE)
    wait_for(lambda: query(timer.database, "SELECT 1 FROM relay.parked"), "the event to be parked")
    said = timer.run(code=1)
    assert "nothing is dropped: 1 keys of auth are parked" in said
    assert timer.ages()[0] == 700
    done = host.run(prefix, "ctl", "relay", "skip", event, "--why", "a test")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: not query(timer.database, "SELECT 1 FROM relay.parked"), "the key to be released")
    query(timer.database, APPEND + " RETURNING 1", "later")    # with the next event the relay takes a snapshot
    timer.drops("1 partition")


class Writers:
    """Append to the log without a pause; the longest that one insert took."""

    def __init__(self, database, count=3):
        self.longest, self.written, self._stop = 0.0, 0, threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(database,)) for _ in range(count)]
        self._lock = threading.Lock()

    def _write(self, database):
        with psycopg.connect(database, autocommit=True) as connection:
            while not self._stop.is_set():
                began = time.monotonic()
                connection.execute(APPEND, (f"writer-{secrets.token_hex(4)}",))
                with self._lock:
                    self.longest, self.written = max(self.longest, time.monotonic() - began), self.written + 1
                time.sleep(0.002)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_nobody_waits_for_it(timer, relay, host, prefix):
    """Neither behind a reader of the whole log, whom it has to wait for, nor while it drops many days."""
    ages = range(900, 880, -1)
    timer.make_old(*ages, schemas=("auth",))
    for age in ages:
        timer.append(age)
    listed = ("ctl", "log", "drop", "--keep", "400d", "--dry-run", "--schemas", "auth")
    wait_for(lambda: host.run(prefix, *listed).stdout.count("would drop event_log_") == len(ages), "all of it to be settled", every=0.3)
    with Writers(timer.database) as writers:
        with psycopg.connect(timer.database) as reader:
            reader.execute("SELECT count(*) FROM auth.event_log")
            for _ in range(2):
                assert "lock" in timer.run(code=1)
            assert timer.ages()[0] == 900
        waited_behind = writers.longest
        wait_for(lambda: timer.run() and not [age for age in timer.ages() if age > 400], "the days to be dropped", every=0.3)
    assert writers.written > 100
    assert waited_behind < MOST_WAITED and writers.longest < MOST_WAITED, (waited_behind, writers.longest)
