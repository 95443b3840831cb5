"""I9: planted codes, tokens, numbers and the operator's secrets are found in no log, metric, event,
error status or dump.

Each sink is first shown to be searched: a deliberate leak in it, by the way a real one would take,
must be found.
"""
import base64
import pathlib
import re
import secrets
import subprocess
import urllib.parse
import urllib.request

import psycopg
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from deploy.dev.postgres import server_programs
from tests.e2e.conftest import Person
from tests.support.api import Refused
from tests.support.observe import TOPICS, headers_of, raw_records, wait_for

PG_DUMP = server_programs() / "pg_dump"
LEAK_TOPIC = "verification.dlt"
KINDS = ["codes", "tokens", "person", "operator"]


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


def secrets_of_the_operator(stack, env):
    """What configuration and key files hold: passwords, connection strings, the provider's secret, keys."""
    files = [file.read_text().strip() for file in pathlib.Path(stack.run_dir, "secrets").iterdir()]
    urls = [text for text in [*files, env["DATABASE_URL"]] if "://" in text]
    found = files + urls + [urllib.parse.unquote(urllib.parse.urlsplit(url).password) for url in urls]
    for key in (file for file in pathlib.Path(env["KEYS_DIR"]).rglob("*") if file.suffix in (".key", ".pem")):
        found += written_forms(key.read_bytes())
    for key in pathlib.Path(env["TLS_DIR"]).glob("*.key"):
        found += written_forms(key.read_bytes())
    assert len(set(found)) > 30 and min(map(len, found)) > 15, "what is looked for is not what was planted"
    return found


def written_forms(key):
    """The ways in which a key would stand in a text: of PEM each whole line, of bytes hex and base64."""
    if key.startswith(b"-----"):
        return [line for line in key.decode().splitlines() if len(line) > 30 and not line.startswith("-----")]
    return [key.hex(), key.hex().upper(), base64.b64encode(key).decode().rstrip("="),
            base64.urlsafe_b64encode(key).decode().rstrip("=")]


@pytest.fixture(scope="module")
def planted(stack, auth, env):
    """Everything secret in the life of one person, successes and refusals alike."""
    person = Person(auth, env["TWILIO_FAKE"])
    codes, tokens, ids, errors = [], [], [], []

    def refused(call, *arguments, **fields):
        with pytest.raises(Refused) as refusal:
            call(*arguments, **fields)
        errors.append(refusal.value.told)

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
        "operator": secrets_of_the_operator(stack, env),
        "errors": "\n".join(errors),
    }


@pytest.fixture
def leak():
    """Text that is nowhere by chance; digits, as codes and numbers are."""
    return str(10 ** 14 + secrets.randbelow(10 ** 14))


def test_a_planted_leak_in_a_services_log_is_found(stack, env, auth, leak):
    auth.GetJwks(metadata=(("x-request-id", leak),))
    wait_for(lambda: contains(logs(stack, env), leak), "the leak to be found", 10)


def test_a_planted_leak_in_the_log_of_the_database_is_found(stack, env, leak):
    with psycopg.connect(env["DATABASE_URL"], autocommit=True) as connection:
        # Put together there, so that a statement that is logged does not hold it.
        connection.execute(f"DO $$ BEGIN RAISE LOG 'sent code % to you', '{leak[:7]}' || '{leak[7:]}'; END $$")
    wait_for(lambda: contains(logs(stack, env), leak), "the leak to be found", 10)


def test_a_planted_leak_in_an_event_is_found(stack, env, leak):
    producer = Producer({"bootstrap.servers": env["KAFKA_BROKERS"]})
    producer.produce(LEAK_TOPIC, key="k", value=f'{{"code":"{leak}"}}')
    producer.flush(10)
    assert contains(events(stack, env, (LEAK_TOPIC,)), leak)


def test_a_planted_leak_in_a_dump_is_found(stack, env, leak):
    with psycopg.connect(env["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"CREATE TABLE public.planted AS SELECT '{leak}' AS code")
        try:
            assert contains(dump(stack, env), leak)
        finally:
            connection.execute("DROP TABLE public.planted")


def test_a_planted_leak_in_a_metric_is_found(stack, env, leak):
    """A topic is the one label that data can choose: the relay counts the events of each."""
    admin = AdminClient({"bootstrap.servers": env["KAFKA_BROKERS"]})
    admin.create_topics([NewTopic(leak, 1, 1)])[leak].result(10)
    try:
        with psycopg.connect(env["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload, headers)"
                               " VALUES (gen_random_uuid(), %s, 'k', 'planted', 1, '{}', '{}')", [leak])
        wait_for(lambda: contains(metrics(stack, env), leak), "the leak to be found", 20)
    finally:
        admin.delete_topics([leak])[leak].result(10)


def test_a_planted_leak_in_an_error_is_found(auth, leak):
    with pytest.raises(Refused) as refusal:
        auth.GetProfile(metadata=(("x-request-id", leak),))
    assert contains(refusal.value.told, leak)


def test_instants_and_fractions_are_no_leak():
    assert not contains("took 0.918273 s at 10:11:12.918273", "918273")


@pytest.mark.parametrize("sink", [logs, metrics, events])
@pytest.mark.parametrize("kind", KINDS)
def test_OTP12_nothing_planted_is_found(stack, env, planted, sink, kind):
    text = sink(stack, env)
    assert not [s[:6] + "…" for s in planted[kind] if contains(text, s)]


@pytest.mark.parametrize("kind", KINDS)
def test_no_error_text_tells_a_secret(planted, kind):
    assert not [s[:6] + "…" for s in planted[kind] if contains(planted["errors"], s)]


@pytest.mark.parametrize("kind", ["codes", "tokens", "operator"])
def test_no_code_token_or_key_is_in_a_database_dump(stack, env, planted, kind):
    text = dump(stack, env)
    assert not [s[:6] + "…" for s in planted[kind] if contains(text, s)]
