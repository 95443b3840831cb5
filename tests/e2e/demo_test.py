"""`make demo` tells the truth, notices when it would not, and leaves nothing behind."""
import json
import re
import signal
import subprocess

import pytest

from deploy.dev.stack import ROOT, Stack
from tests.support.sandbox import Sandbox

DEMO = "deploy.dev.demo"


@pytest.fixture(scope="module")
def sandbox():
    sandbox = Sandbox(ROOT / ".run" / "e2e-demo")
    yield sandbox
    sandbox.clear()


@pytest.fixture
def another():
    """A place for a demo that does not end well."""
    sandbox = Sandbox(ROOT / ".run" / "e2e-demo-broken")
    yield sandbox
    sandbox.clear()


@pytest.fixture(scope="module")
def demo(sandbox):
    done = sandbox.run(module=DEMO)
    assert not sandbox.left_after(), "the demo left processes"
    return done


@pytest.fixture(scope="module")
def kafka(demo, sandbox):
    """The demo's Kafka, started again with what the demo left in it."""
    with Stack(sandbox.folder, ("kafka",)) as stack:
        yield stack.part("kafka").address


def kcat(brokers, topic):
    """The topic's records as another program reads them: (key, headers, value)."""
    out = subprocess.run(["kcat", "-C", "-e", "-q", "-J", "-b", brokers, "-t", topic], capture_output=True, text=True, timeout=30, check=True)
    records = [json.loads(line) for line in out.stdout.splitlines()]
    return [(r["key"], dict(zip(r["headers"][::2], r["headers"][1::2])), json.loads(r["payload"])) for r in records]


def user_in(demo):
    return re.search(r"user_id +([0-9a-f-]{36})", demo.stdout)[1]


def test_it_ends_well_in_plain_text_with_the_two_times(demo):
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "\033[" not in demo.stdout
    assert demo.stderr == ""
    assert re.fullmatch(r"commit to Kafka \d+\.\d ms \(median of \d+ records, slowest \d+\.\d ms\), "
                        r"call to delivered code \d+ ms", demo.stdout.splitlines()[-1])


def test_it_shows_no_whole_token(demo):
    assert not re.search(r"[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}\.", demo.stdout)
    assert len(re.findall(r"(?:access|refresh) token +\S{12}\.\.\. \(\d+ characters\)", demo.stdout)) == 4


def test_the_records_are_in_kafka_for_any_other_reader(demo, kafka):
    user_id = user_in(demo)
    (key, headers, value), = kcat(kafka, "user.created")
    assert (key, headers["ce_type"], headers["ce_source"]) == (user_id, "user.created", "/countersign/auth")
    assert value["user_id"] == user_id
    sends = kcat(kafka, "verification")
    assert [(headers["ce_type"], value["purpose"]) for _, headers, value in sends] == [("otp.send", "signup"), ("otp.send", "login")]
    for key, headers, value in kcat(kafka, "auth.log"):
        assert (key, headers["ce_specversion"], headers["ce_subject"]) == (user_id, "1.0", user_id)
        assert headers["ce_id"] and headers["ce_time"].endswith("Z") and headers["traceparent"]
    assert [headers["ce_type"] for _, headers, _ in kcat(kafka, "auth.log")] == [
        "user.verified", "session.logged_in", "session.login_failed", "session.logged_in", "session.refreshed", "session.logged_out"]


def test_a_step_that_misses_says_what_it_expected_and_fails(another):
    # A stack that makes codes of eight digits is sound, but not what the story tells.
    missed = another.run(module=DEMO, OTP_CODES_LENGTH="8")
    assert missed.returncode == 1
    assert re.search(r"not as it should be: a code of six digits.*\n +expected .*6.*\n +found .*8", missed.stdout), missed.stdout
    assert "the logs are in" in missed.stdout
    assert not another.left_after()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_in_the_middle_it_leaves_nothing(another, number):
    story = subprocess.Popen(another.command(module=DEMO), cwd=ROOT, env=another.environment(), stdout=subprocess.PIPE, text=True)
    for line in story.stdout:
        if line.startswith("2. "):
            break
    story.send_signal(number)
    rest, _ = story.communicate(timeout=60)
    assert (story.returncode, "interrupted; nothing is left running" in rest) == (130, True), rest
    assert not another.left_after()
