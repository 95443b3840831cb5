"""I9: planted codes, tokens and numbers are found in no log, metric, event, error text or dump.

Each sink is first shown to be searched: a deliberate leak in it must be found.
"""
import pathlib
import re
import subprocess
import urllib.request

import psycopg
import pytest
from confluent_kafka import Producer

from deploy.dev.postgres import server_programs
from tests.e2e.conftest import Person
from tests.support.api import Refused
from tests.support.observe import TOPICS, headers_of, raw_records

PG_DUMP = server_programs() / "pg_dump"
LEAK_TOPIC = "verification.dlt"


def logs(stack, _env):
    files = [f for f in pathlib.Path(stack.run_dir).rglob("*.log") if "kafka/data" not in str(f)]
    assert files
    return "\n".join(f.read_text(errors="replace") for f in files)


def metrics(_stack, env):
    pages = [env[name] for name in ("AUTH_METRICS", "RELAY_METRICS", "OTP_METRICS")]
    return "\n".join(urllib.request.urlopen(f"http://{page.removeprefix('http://')}/metrics").read().decode() for page in pages)


def events(_stack, env, topics=TOPICS):
    return "\n".join(f"{m.key()} {headers_of(m)} {(m.value() or b'').decode(errors='replace')}"
                     for m in raw_records(env["KAFKA_BROKERS"], topics))


def dump(_stack, env):
    return subprocess.run([PG_DUMP, "--inserts", env["DATABASE_URL"]], capture_output=True, text=True, check=True).stdout


def contains(haystack, needle):
    """Codes are digits, and digits abound: they count only as a token of their own, outside instants."""
    if needle.isdigit():
        plain = re.sub(r"\d\d:\d\d:\d\d(\.\d+)?", "", haystack)
        return re.search(rf"(?<![0-9A-Za-z_.-]){needle}(?![0-9A-Za-z_-])", plain) is not None
    return needle in haystack


@pytest.fixture(scope="module")
def secrets_of_a_life(auth, env):
    """Everything secret in the life of one person, successes and refusals alike."""
    person = Person(auth, env["TWILIO_FAKE"])
    codes, tokens, ids, errors = [], [], [], []

    def refused(call, *arguments, **fields):
        with pytest.raises(Refused) as refusal:
            call(*arguments, **fields)
        errors.append(str(refusal.value))

    person.sign_up(first_name="Wilhelmina", last_name="Zuckerkandl", email="wilhelmina@example.org", device_id="planted-device-77")
    ids.append(person.verification_id)
    codes.append(person.code())
    refused(person.verify, person.wrong_code())
    refused(auth.SignupWithPhoneNumber, phone_number=person.phone)
    refused(auth.SignupWithPhoneNumber, phone_number=person.phone + "12345678901234567")
    tokens.append(person.verify().tokens)
    person.start_log_in()
    ids.append(person.verification_id)
    codes.append(person.code())
    tokens.append(person.finish_log_in().tokens)
    refused(person.finish_log_in)
    tokens.append(auth.RefreshToken(refresh_token=tokens[0].refresh_token).tokens)
    refused(auth.RefreshToken, refresh_token=tokens[0].refresh_token[:-1])
    refused(auth.GetProfile, bearer=tokens[0].access_token + "x")
    auth.Logout(bearer=tokens[1].access_token)
    refused(auth.RefreshToken, refresh_token=tokens[1].refresh_token)
    return {
        "codes": codes,
        "tokens": [t for pair in tokens for t in (pair.access_token, pair.refresh_token)] + ids,
        "person": [person.phone, person.phone[1:], "0" + person.phone[3:], "Zuckerkandl", "wilhelmina@example.org", "planted-device-77"],
        "errors": "\n".join(errors),
    }


def test_a_planted_leak_in_a_log_is_found(stack, env):
    leak = pathlib.Path(stack.run_dir) / "logs" / "planted.log"
    leak.parent.mkdir(exist_ok=True)
    leak.write_text('{"msg":"sent code 918273 to +4915100000001"}\n')
    try:
        assert contains(logs(stack, env), "918273") and contains(logs(stack, env), "+4915100000001")
    finally:
        leak.unlink()


def test_a_planted_leak_in_an_event_is_found(stack, env):
    producer = Producer({"bootstrap.servers": env["KAFKA_BROKERS"]})
    producer.produce(LEAK_TOPIC, key="k", value='{"code":"918273"}')
    producer.flush(10)
    assert contains(events(stack, env, (LEAK_TOPIC,)), "918273")


def test_a_planted_leak_in_a_dump_is_found(stack, env):
    with psycopg.connect(env["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE TABLE public.planted AS SELECT '918273' AS code")
        try:
            assert contains(dump(stack, env), "918273")
        finally:
            connection.execute("DROP TABLE public.planted")


def test_a_planted_leak_in_a_metric_or_an_error_is_found():
    assert contains('sends_total{to="+4915100000001"} 1', "+4915100000001")
    assert contains("INVALID_ARGUMENT code 918273 is wrong", "918273")
    assert not contains("took 0.918273 s at 10:11:12.918273", "918273"), "instants and fractions are no leak"


@pytest.mark.parametrize("sink", [logs, metrics, events])
@pytest.mark.parametrize("kind", ["codes", "tokens", "person"])
def test_OTP12_nothing_planted_is_found(stack, env, secrets_of_a_life, sink, kind):
    text = sink(stack, env)
    assert not [s[:6] + "…" for s in secrets_of_a_life[kind] if contains(text, s)]


@pytest.mark.parametrize("kind", ["codes", "tokens", "person"])
def test_no_error_text_tells_a_secret(secrets_of_a_life, kind):
    assert not [s[:6] + "…" for s in secrets_of_a_life[kind] if contains(secrets_of_a_life["errors"], s)]


@pytest.mark.parametrize("kind", ["codes", "tokens"])
def test_no_code_or_token_is_in_a_database_dump(stack, env, secrets_of_a_life, kind):
    text = dump(stack, env)
    assert not [s[:6] + "…" for s in secrets_of_a_life[kind] if contains(text, s)]
