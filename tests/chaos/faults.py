"""Faults of a stack as contexts that hold while somebody looks, and people who go on signing in meanwhile."""
import contextlib
import subprocess
import threading
import time

import psycopg
from confluent_kafka import Producer

from tests.e2e.conftest import Person
from tests.support.api import Auth, Refused
from tests.support.observe import code_on_phone, metric, post_json, query, wait_for

PEOPLE = 3
# For slot_behind: no checkpoint of the server takes the WAL away while somebody looks.
SMALL_SLOT = {"postgres": {"max_slot_wal_keep_size": "128MB", "checkpoint_timeout": "1h"}}
PATIENCE = 2  # seconds until one who gets no code gives up and another comes


@contextlib.contextmanager
def people(stack):
    """Some people at a time sign up, get a code, enter it, refresh and leave, whatever refuses them."""
    env, stop = stack.variables(), threading.Event()
    threads = [threading.Thread(target=_live, args=(env, stop)) for _ in range(PEOPLE)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: metric(env["AUTH_METRICS"], "rpc_requests_total", rpc="Logout", code="OK"), "the first to leave")
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _live(env, stop):
    auth = Auth(env["AUTH_GRPC"], timeout=5)
    while not stop.wait(0.3):
        try:
            person = Person(auth, env["TWILIO_FAKE"])
            person.sign_up(first_name="Ada")
            person.verify(code_on_phone(env["TWILIO_FAKE"], person.phone, seconds=PATIENCE))
            auth.RefreshToken(refresh_token=person.tokens.refresh_token)
            auth.Logout(refresh_token=person.tokens.refresh_token)
        except (Refused, OSError, AssertionError):
            continue
    auth.close()


@contextlib.contextmanager
def armed(stack, name, failpoint):
    """The process dies at its crash point within the block, and is started whole again after it."""
    part = stack.part(name)
    part.stop()
    part.environment["COUNTERSIGN_FAILPOINT"] = failpoint
    try:
        part.spawn()
        yield part
        wait_for(lambda: not part.running(), f"{name} to die at {failpoint}")
        assert part.process.exit_code() == -9
    finally:
        del part.environment["COUNTERSIGN_FAILPOINT"]
        part.stop()
        part.start()


def killed(name):
    @contextlib.contextmanager
    def fault(stack):
        stack.part(name).kill()
        yield
    return fault


@contextlib.contextmanager
def relay_without_kafka(stack):
    """The relay comes back while Kafka is away: it cannot find out where it stood."""
    stack.part("kafka").kill()
    stack.part("relay").kill()
    stack.part("relay").spawn()
    yield


def restarted(name, times):
    @contextlib.contextmanager
    def fault(stack):
        for _ in range(times):
            stack.part(name).kill()
            stack.part(name).start()
            # Prometheus, too, only knows a start between two deaths if it looked meanwhile.
            time.sleep(2)
        yield
    return fault


def provider(rule):
    """A rule of tests/fakes/twilio/README.md."""
    @contextlib.contextmanager
    def fault(stack):
        post_json(f"{stack.variables()['TWILIO_FAKE']}/_fake/faults", rule)
        yield
    return fault


@contextlib.contextmanager
def rights_lost(stack):
    """auth may no longer write its log, as after a restore without grants."""
    with psycopg.connect(stack.variables()["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("REVOKE INSERT ON auth.event_log FROM countersign_auth")
    yield


@contextlib.contextmanager
def event_without_topic(stack):
    query(stack.variables()["DATABASE_URL"],
          "INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload, headers) "
          "VALUES (gen_random_uuid(), 'nowhere', 'fault', 'fault.held', 1, '{}', '{}') RETURNING 1")
    yield


def fill_wal(database, mebibytes):
    """WAL that is nobody's event, as tables of others write it."""
    query(database, "SELECT count(pg_logical_emit_message(false, 'filler', repeat('x', 1048576))) FROM generate_series(1, %s)", mebibytes)


@contextlib.contextmanager
def slot_behind(stack):
    """The relay is paused, and others write more WAL than the slot may keep (SMALL_SLOT)."""
    relay, database = stack.part("relay"), stack.variables()["DATABASE_URL"]

    def told(name, **labels):
        return metric(relay.metrics, name, **labels)

    subprocess.run([stack.binary("countersignctl"), "relay", "pause", "--socket", relay.admin_socket], check=True, capture_output=True)
    fill_wal(database, 90)
    wait_for(lambda: told("relay_slot_retained_bytes") > told("relay_slot_safe_bytes"), "the relay to see what the slot keeps")
    fill_wal(database, 60)
    wait_for(lambda: told("relay_slot_wal_status", status="unreserved") == 1, "the relay to see that it is too much")
    yield


@contextlib.contextmanager
def unreadable_record(stack):
    producer = Producer({"bootstrap.servers": stack.variables()["KAFKA_BROKERS"]})
    producer.produce("verification", key=b"nobody", value=b"no command")
    assert producer.flush(10) == 0
    yield


@contextlib.contextmanager
def spoilt_key(stack):
    """Seen by auth within half a minute."""
    spoilt = stack.keys_dir / "person" / "spoilt.key"
    spoilt.write_text("no key")
    try:
        wait_for(lambda: metric(stack.part("auth").metrics, "key_ring_readable", ring="person") == 0, "auth to see the spoilt key", 60)
        yield
    finally:
        spoilt.unlink()


@contextlib.contextmanager
def recipient_keys_away(stack):
    first, *later = sorted((stack.keys_dir / "recipient").iterdir())
    for key in later:
        key.unlink()
    wait_for(lambda: metric(stack.part("auth").metrics, "recipient_key_days_ahead") < 2, "auth to see that keys are gone", 60)
    assert first.exists()
    yield
