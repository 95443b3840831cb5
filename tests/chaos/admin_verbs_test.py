"""What an operator may do to a running relay: pause, drain and step-down lose and double nothing, under load."""
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import time

import pytest

from deploy.dev.process import StackError
from tests.chaos import two_relays
from tests.chaos.two_relays import leads, ledger, progress
from tests.support.event_writer import EventWriter
from tests.support.observe import metric, query, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
CTL = ROOT / "build/release/bin/countersignctl"
NOBODY = 65534
relays = two_relays.relays


def tell(relay, verb, *words, expect=0, user=None):
    """What `countersignctl relay VERB` says: standard output, and standard error if it is to fail."""
    done = subprocess.run([CTL, "relay", verb, "--socket", relay.admin_socket, *words], capture_output=True, text=True, timeout=120,
                          check=False, user=user)
    assert done.returncode == expect, f"exit {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout if expect == 0 else done.stderr


def state(relay):
    """The relay's own words, as curl gets them."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(relay.admin_socket)
        connection.sendall(b"GET /status HTTP/1.1\r\nHost: relay\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def raw(relay, request):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(relay.admin_socket)
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(4096), b"")).decode()


def events(relay):
    return metric(relay.metrics, "relay_events_total")


@pytest.fixture
def relay(stack):
    relay = stack.part("relay")
    wait_for(lambda: leads(relay), "the relay to lead")
    yield relay
    relay.start()
    if state(relay)["state"] != "running":
        tell(relay, "resume")


def test_I1_I2_I3_a_step_down_under_load_hands_over_within_a_second_and_doubles_nothing(relays, env):
    leader, standby = relays
    before = ledger(env).duplicates
    with EventWriter(env["DATABASE_URL"]) as writer:
        progress(writer)
        tell(leader, "step-down")
        began = time.monotonic()
        assert state(leader)["role"] == "stepped down"
        wait_for(lambda: leads(standby), "the other one to lead", 5, every=0.01)
        took = time.monotonic() - began
        progress(writer)
        assert "does not lead" in tell(leader, "step-down", expect=1)
        wait_for(lambda: state(leader)["role"] == "stands by", "the one that stepped down to stand by")
        tell(standby, "step-down")
        wait_for(lambda: leads(leader), "the first to lead again", 5, every=0.01)
        progress(writer)
    assert took < 1, f"the takeover took {took:.2f} s"
    assert ledger(env).duplicates == before
    assert leader.serves() and standby.serves()


def test_a_leader_that_steps_down_alone_leads_again(relay):
    tell(relay, "step-down")
    assert not leads(relay)
    wait_for(lambda: leads(relay), "it to lead again", 15)


def test_I1_I2_I3_a_drain_under_load_covers_what_was_committed_even_if_the_relay_is_killed_then(relay, env):
    before = ledger(env).duplicates
    with EventWriter(env["DATABASE_URL"]) as writer:
        progress(writer)
        (moment,), = query(env["DATABASE_URL"], "SELECT clock_timestamp()")
        said = json.loads(tell(relay, "drain", "--json"))
        assert said["state"] == "drained" and said["found"] == "running" and said["in_flight"] == 0
        taken = events(relay)
        early = {event for event, in query(
            env["DATABASE_URL"], "SELECT event_id::text FROM auth.event_log WHERE occurred_at <= %s", moment)}
        assert early <= two_relays.in_kafka(env), "a commit that came before the drain is not in Kafka"
        progress(writer)
        assert events(relay) == taken, "a drained relay read on"
        relay.kill()
        relay.start()
        assert state(relay)["state"] == "running", "a relay that is started anew is not paused"
        progress(writer)
    assert ledger(env).duplicates == before


def test_a_drain_of_an_idle_relay_ends_and_a_second_one_too(relay, env):
    ledger(env)
    assert tell(relay, "drain").startswith("drained")
    assert json.loads(tell(relay, "drain", "--json"))["found"] == "drained"
    assert "it was drained already" in tell(relay, "pause")
    assert "resumed; it was drained" in tell(relay, "resume")
    assert "it was running already" in tell(relay, "resume")


def test_I1_I2_I3_a_pause_holds_events_back_and_a_resume_brings_all_in_order(relay, env):
    before = ledger(env).duplicates
    with EventWriter(env["DATABASE_URL"]) as writer:
        progress(writer)
        assert "paused; it was running" in tell(relay, "pause")
        assert "it was paused already" in tell(relay, "pause")
        taken = events(relay)
        assert metric(relay.metrics, "relay_paused") == 1
        confirmed = slot_position(env)
        progress(writer, 500)
        # Longer than the server waits for a sign of life.
        wait_for(lambda: state(relay)["paused_seconds"] > 4, "the pause to last")
        assert leads(relay) and relay.serves(), relay.trouble()
        assert events(relay) == taken and slot_position(env) == confirmed
        tell(relay, "resume")
        assert metric(relay.metrics, "relay_paused") == 0
        progress(writer)
    assert ledger(env).duplicates == before


def slot_position(env):
    return query(env["DATABASE_URL"], "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'countersign'")


def test_a_drain_without_kafka_gives_up_or_is_interrupted_says_why_and_leaves_the_relay_running(relay, stack, env):
    with EventWriter(env["DATABASE_URL"]) as writer:
        progress(writer)
        stack.part("kafka").kill()
        progress(writer)
        drain = subprocess.Popen([CTL, "relay", "drain", "--socket", relay.admin_socket], stderr=subprocess.PIPE, text=True)
        wait_for(lambda: state(relay)["state"] == "draining", "the drain to begin")
        drain.send_signal(signal.SIGINT)
        _, said = drain.communicate(timeout=30)
        assert drain.returncode == 130 and "interrupted; the relay is running as before" in said
        said = tell(relay, "drain", "--timeout", "3", expect=1)
        assert "not drained after 3 s" in said and "is running as before" in said and "draining: " in said
        stack.part("kafka").start()
    ledger(env)


def test_only_the_one_that_leads_is_drained_and_a_standby_says_what_it_is(relays):
    _, standby = relays
    wait_for(lambda: state(standby)["role"] == "stands by", "the other one to stand by")
    assert "this one: stands by" in tell(standby, "drain", expect=1)
    assert "the one that does goes on" in tell(standby, "pause")
    tell(standby, "resume")


def test_nobody_but_its_user_and_no_other_verb_gets_through(relay):
    assert stat.S_IMODE(os.stat(relay.admin_socket).st_mode) == 0o600
    if os.geteuid() == 0:
        assert "not allowed" in tell_as_nobody(relay)
    for request, status in ((b"POST /stop HTTP/1.1\r\n\r\n", "404"), (b"GET /pause HTTP/1.1\r\n\r\n", "405"),
                            (b'{"verb": "pause"}\r\n\r\n', "404"), (b"POST /status HTTP/1.1\r\n\r\n", "405")):
        assert raw(relay, request).startswith(f"HTTP/1.1 {status} "), request
    assert state(relay)["state"] == "running"


def tell_as_nobody(relay):
    """By a client without the tool, whose folder that user need not be able to enter."""
    def become_nobody():
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    program = f"import socket; socket.socket(socket.AF_UNIX).connect({relay.admin_socket!r})"
    done = subprocess.run(["/usr/bin/python3", "-c", program], preexec_fn=become_nobody, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode != 0
    return "not allowed" if "PermissionError" in done.stderr else done.stderr


def test_a_socket_that_is_missing_or_stale_is_told_apart_and_a_stale_one_is_replaced(relay):
    relay.kill()
    assert pathlib.Path(relay.admin_socket).is_socket(), "a killed relay leaves its socket"
    assert "a relay that was killed left the file" in tell(relay, "pause", expect=69)
    relay.start()
    assert state(relay)["state"] == "running"
    assert relay.stop()
    assert "there is no such file" in tell(relay, "pause", expect=69)
    pathlib.Path(relay.admin_socket).write_text("not a socket")
    try:
        with pytest.raises(StackError):
            relay.start()
        assert "something that is no socket is there" in relay.log.read_text()
    finally:
        os.unlink(relay.admin_socket)


def test_a_second_process_does_not_take_a_live_ones_socket(relay, stack):
    second = two_relays.SecondRelay(stack)
    second.settings["admin.socket"] = relay.admin_socket
    with pytest.raises(StackError):
        second.start()
    assert "another process answers there" in second.log.read_text()
    assert state(relay)["state"] == "running"
