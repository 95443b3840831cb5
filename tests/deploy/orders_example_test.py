"""examples/orders: a service that is not ours, with a table of its own, behind the real relay; as its page says."""
import os
import pathlib
import random
import re
import subprocess
import threading
import urllib.error
import urllib.request

import psycopg
import pytest

from deploy.dev.process import Process
from deploy.dev.stack import ROOT, Stack
from examples.orders import orders
from tests.chaos.ledger import Row, check
from tests.support.observe import headers_of, metric, query, raw_records, records, wait_for

EXAMPLE = ROOT / "examples/orders"
TOPIC = orders.TOPIC
HEADERS = ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "ce_sequence", "content-type",
           "outbox_id", "commit_lsn"]
ROWS = ("SELECT id, message_id::text, stream, order_no::text, kind, version, body::text, "
        "to_char(written_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM shop.messages ORDER BY id")


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S)


class Shop:
    """The servers, and what the example's page says one should type."""

    def __init__(self, stack):
        self.stack = stack
        self.env = stack.variables()
        self.setup, relay, self.use, self.index, switch, self.leave = blocks(EXAMPLE / "README.md", "sh")
        self.relay = Relay(self, relay)
        self.table_relay = Relay(self, f"{switch}\n{relay}")

    def shell(self, text, **more):
        return subprocess.run(["bash", "-euo", "pipefail", "-c", self.here(text)], cwd=ROOT, env={**os.environ, **more},
                              capture_output=True, text=True, timeout=120, check=False)

    def here(self, text):
        """The same commands against this test's own stack."""
        return text.replace("source .run/env", f"source '{self.stack.run_dir}/env'")

    def connect(self):
        """As the service does."""
        return psycopg.connect(self.env["DATABASE_URL"], user="shop_app", password="app", autocommit=True)

    def rows(self):
        return query(self.env["DATABASE_URL"], ROWS)

    def await_all(self):
        """Until Kafka has all that is committed now, and the slot is confirmed so far."""
        end = query(self.env["DATABASE_URL"], "SELECT pg_current_wal_insert_lsn()::text")[0][0]
        wait_for(lambda: query(self.env["DATABASE_URL"], "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots "
                               "WHERE slot_name = 'shop'", end) == [(True,)], "the slot to be confirmed", 60)

    def verdict(self):
        rows = [Row(*row[:7], service="shop") for row in self.rows()]
        return check(rows, records(self.env["KAFKA_BROKERS"], (TOPIC,)))


class Relay:
    """The page's relay; it is bash until it is the relay, so its process is the one to kill."""

    def __init__(self, shop, commands):
        *before, last = commands.strip().splitlines()
        self._command = ["bash", "-euo", "pipefail", "-c", shop.here("\n".join([*before, f"exec {last}"]))]
        self._listen = f"127.0.0.1:{shop.stack.ports.get('shop_metrics')}"
        self._process = Process("shop-relay", shop.stack.run_dir)

    def start(self):
        self._process.start(self._command, {**os.environ, "RELAY_METRICS_LISTEN": self._listen}, death_signal="KILL", folder=ROOT)
        wait_for(self.serves, "the relay to serve")

    def serves(self):
        if not self._process.running():
            raise self._process.failure("ended")
        try:
            with urllib.request.urlopen(f"http://{self._listen}/healthz", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def metric(self, name):
        return metric(self._listen, name)

    def kill(self):
        self._process.kill()

    def stop(self):
        self._process.send(15)
        assert self._process.wait_gone(15)
        self._process.forget()


class Clerks:
    """Threads that place, ship and cancel while the block runs; some think better of it before the commit."""

    def __init__(self, shop, threads=4):
        self._shop, self._stop, self._faults = shop, threading.Event(), []
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(threads)]
        self.placed, self.rolled_back = [], []

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._faults:
            raise self._faults[0]

    def _work(self, number):
        dice = random.Random(number)
        try:
            with self._shop.connect() as connection:
                while not self._stop.wait(0.004):
                    self._one(connection, dice)
        except Exception as fault:  # pylint: disable=broad-except
            self._faults.append(fault)

    def _one(self, connection, dice):
        with connection.transaction(force_rollback=dice.random() < 0.2) as whole:
            order_no = orders.place(connection, "tea “Earl  Grey”", dice.randint(1, 9))
            with connection.transaction(force_rollback=dice.random() < 0.2):
                orders.ship(connection, order_no, "Pigeon")
        (self.rolled_back if whole.force_rollback else self.placed).append(order_no)
        # Two at once want the same order: one of them waits for the other's commit, and is refused if that was it.
        try:
            with connection.transaction(force_rollback=dice.random() < 0.2):
                orders.cancel(connection, dice.choice(self.placed[-8:] or [0]), "second thoughts")
        except orders.OrderRefused:
            pass


@pytest.fixture(scope="module")
def shop():
    with Stack(ROOT / ".run" / "deploy" / "orders", ("postgres", "kafka"), fresh=True) as stack:
        running = Shop(stack)
        done = running.shell(running.setup)
        assert done.returncode == 0, done.stderr
        running.relay.start()
        yield running
        running.relay.kill()
        running.table_relay.kill()
    stack.remove()


def test_the_page_tells_the_story_of_one_order(shop):
    done = shop.shell(shop.use + "\n$P examples/orders/orders.py cancel $ORDER --reason late || echo refused\n"
                      "TRACEPARENT=00-abc $P examples/orders/orders.py place --item ink\necho $ORDER")
    assert done.returncode == 0, done.stderr
    *_, refused, _, order_no = done.stdout.split()
    assert refused == "refused", "a shipped order was cancelled"
    shop.await_all()
    told = shop.shell(shop.use.splitlines()[1] + f"\n$P examples/orders/history.py {order_no}", KAFKA_BROKERS=shop.env["KAFKA_BROKERS"])
    assert [line.split(maxsplit=1)[1] for line in told.stdout.splitlines()] == [
        "#1 order.placed     item green tea, quantity 2", "#2 order.shipped    carrier Pigeon"], told.stderr
    traced = [headers_of(record) for record in raw_records(shop.env["KAFKA_BROKERS"], (TOPIC,)) if "traceparent" in headers_of(record)]
    assert [(headers["ce_type"], headers["traceparent"]) for headers in traced] == [("order.placed", "00-abc")]


def test_no_event_is_lost_doubled_invented_or_out_of_order_while_the_relay_is_killed(shop):
    left_out = 0
    with Clerks(shop) as clerks:
        for kill in range(20):
            goal = len(clerks.placed) + 150
            wait_for(lambda: len(clerks.placed) >= goal, "the clerks")
            shop.relay.kill()
            await_the_dead_relays_last_bytes(shop)
            shop.relay.start()
            left_out += shop.relay.metric("relay_left_out_total")
            if kill >= 2 and left_out:
                break
    assert left_out, "no kill came between an acknowledgement and its confirmation: nothing was tested"
    shop.await_all()
    verdict = shop.verdict()
    assert not verdict.faults and verdict.duplicates == 0, str(verdict)
    assert verdict.rows == verdict.records > 400
    assert len(clerks.rolled_back) > 50
    keys = {record.key().decode() for record in raw_records(shop.env["KAFKA_BROKERS"], (TOPIC,))}
    assert not keys & {str(order_no) for order_no in clerks.rolled_back}


def await_the_dead_relays_last_bytes(shop):
    """What reaches Kafka after the next relay has read it comes twice, as docs/relay.md says; so not before."""
    same = [-1]

    def settled():
        same.append(len(raw_records(shop.env["KAFKA_BROKERS"], (TOPIC,))))
        return len(same) > 3 and same[-1] == same[-3]

    wait_for(settled, "the topic to stand still", every=0.2)


def test_a_record_has_the_headers_of_the_page_and_the_bytes_of_the_column(shop):
    with shop.connect() as connection:
        order_no = orders.place(connection, "ink, “blue  black”", 3)
    shop.await_all()
    row = next(row for row in shop.rows() if row[3] == str(order_no))
    record = next(record for record in raw_records(shop.env["KAFKA_BROKERS"], (TOPIC,)) if record.key().decode() == str(order_no))
    assert record.value().decode() == row[6] == f'{{"order_no": {order_no}, "item": "ink, “blue  black”", "quantity": 3}}'
    assert [name for name, _ in record.headers()] == HEADERS
    headers = headers_of(record)
    assert re.fullmatch(r"[0-9A-F]+/[0-9A-F]+", headers.pop("commit_lsn"))
    assert headers == {
        "ce_specversion": "1.0", "ce_id": row[1], "ce_source": "/example/shop", "ce_type": "order.placed",
        "ce_subject": str(order_no), "ce_time": row[7], "ce_sequence": "1", "content-type": "application/json", "outbox_id": str(row[0])}


def test_the_service_cannot_change_what_it_has_said(shop):
    with shop.connect() as connection:
        for statement in ("UPDATE shop.messages SET body = '{}'", "DELETE FROM shop.messages", "TRUNCATE shop.messages"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_the_relays_role_may_stream_and_read_the_outbox_and_nothing_else(shop):
    database = shop.env["DATABASE_URL"]
    with psycopg.connect(database, user="shop_relay", password="relay", autocommit=True) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT 1 FROM shop.orders")
    with pytest.raises(psycopg.OperationalError, match="rejects replication connection"):
        psycopg.connect(database, user="shop_relay", password="relay", replication="true").close()


@pytest.mark.parametrize("language", ["sql", "yaml"])
def test_docs_relay_shows_what_the_example_runs(language):
    files = "\n".join(file.read_text() for file in (*EXAMPLE.glob(f"*.{language}"), ROOT / "deploy/topics.yaml"))
    shown = blocks(ROOT / "docs/relay.md", language)
    assert shown
    for block in shown:
        assert block.strip() in files


def test_docs_relay_names_real_tests():
    page = (ROOT / "docs/relay.md").read_text()
    named = re.findall(r"`(\w+\.(?:cc|py))` `(\w+)`", page)
    assert len(named) > 9
    sources = {source.name: source.read_text() for source in pathlib.Path(ROOT / "tests").rglob("*_*test.*")}
    assert not [(file, test) for file, test in named if not re.search(rf"\b{test}\b", sources.get(pathlib.Path(file).name, ""))]


def test_the_operators_command_knows_the_shops_slot(shop):
    shop.await_all()
    asked = shop.shell("source .run/env\nbuild/release/bin/countersignctl outbox status --slot shop --publications shop_messages --json")
    assert asked.returncode == 0, asked.stdout + asked.stderr
    wrong = shop.shell("source .run/env\nbuild/release/bin/countersignctl outbox status --slot nobodys")
    assert wrong.returncode == 3


def test_without_replication_rights_the_relay_reads_the_table_and_goes_on_where_it_stood(shop):
    shop.await_all()
    shop.relay.stop()
    with shop.connect() as connection:
        between = orders.place(connection, "written while no relay ran", 1)
    indexed = shop.shell(shop.index)
    assert indexed.returncode == 0, indexed.stderr
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        with psycopg.connect(shop.env["DATABASE_URL"], user="shop_relay", password="relay", autocommit=True) as connection:
            connection.execute("SELECT pg_logical_slot_get_changes('shop', NULL, NULL)")
    shop.table_relay.start()
    with Clerks(shop) as clerks:
        wait_for(lambda: len(clerks.placed) >= 50, "the clerks")
    wait_for(lambda: shop.verdict().records >= len(shop.rows()), "Kafka to have every row", 60)
    shop.table_relay.stop()
    verdict = shop.verdict()
    assert not verdict.faults and verdict.duplicates == 0, str(verdict)
    mine = [record for record in raw_records(shop.env["KAFKA_BROKERS"], (TOPIC,)) if record.key().decode() == str(between)]
    assert [headers_of(record).get("commit_lsn") for record in mine] == [None], "the streaming relay brought it"


def test_at_last_the_relay_goes_and_its_slot_with_it(shop):
    gone = shop.shell("source .run/env\n" + shop.leave)
    assert gone.returncode == 0, gone.stderr
    assert query(shop.env["DATABASE_URL"], "SELECT count(*) FROM pg_replication_slots") == [(0,)]
