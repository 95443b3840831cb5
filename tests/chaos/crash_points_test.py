"""kill -9 at each named point of each process, hit for certain: builds with crash points compiled in."""
import pathlib

import pytest

from deploy.dev.stack import Stack
from tests.chaos.faults import armed
from tests.chaos.ledger import check, provider_faults
from tests.chaos.ledger_test import DELIVERIES, OPEN_INTENTS, everything_arrived
from tests.e2e.conftest import Person
from tests.support.api import Auth, Refused
from tests.support.observe import get_json, log_rows, query, records, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def stack():
    settings = {"otp": {"consumer.send_timeout": "2s"}}
    with Stack(run_dir=ROOT / ".run" / "crash", fresh=True, build="asan", settings=settings) as running:
        yield running


@pytest.fixture
def env(stack):
    return stack.variables()


@pytest.fixture
def auth(env):
    client = Auth(env["AUTH_GRPC"])
    yield client
    client.close()


def wait_serving(part):
    wait_for(lambda: part.serves() or not part.running(), f"{part.name} to serve")


def test_I5_auth_killed_between_verdict_and_commit_leaves_the_code_good_once(stack, env, auth):
    person = Person(auth, env["TWILIO_FAKE"])
    person.sign_up()
    code = person.code()
    with armed(stack, "auth", "auth_after_verdict") as part:
        wait_serving(part)
        with pytest.raises(Refused):
            person.verify(code)
    wait_for(stack.part("auth").serves, "auth to serve again")
    person.auth = Auth(env["AUTH_GRPC"])
    person.verify(code)
    with pytest.raises(Refused) as refusal:
        person.verify(code)
    assert refusal.value.reason == "CODE_REJECTED"
    assert query(env["DATABASE_URL"], "SELECT c.attempts FROM otp.challenges c JOIN auth.verifications v ON v.challenge_id = c.id "
                 "WHERE v.phone = %s", person.phone) == [(1,)], "the repeat of a claim is counted once"


def test_TOK9_auth_killed_after_a_rotation_gives_the_same_child_again(stack, env, auth):
    person = Person(auth, env["TWILIO_FAKE"])
    person.sign_up()
    person.verify()
    with armed(stack, "auth", "auth_after_rotation") as part:
        wait_serving(part)
        with pytest.raises(Refused):
            auth.RefreshToken(refresh_token=person.tokens.refresh_token)
    again = Auth(env["AUTH_GRPC"])
    first = again.RefreshToken(refresh_token=person.tokens.refresh_token).tokens
    second = again.RefreshToken(refresh_token=person.tokens.refresh_token).tokens
    assert first.refresh_token == second.refresh_token
    assert query(env["DATABASE_URL"], "SELECT refresh_counter FROM auth.sessions WHERE id = %s", first.session_id) == [(2,)]
    again.close()


@pytest.mark.parametrize("point", ["after_read", "after_produce", "after_produce:2", "after_delivery", "before_confirm",
                                   "after_confirm", "before_checkpoint", "after_checkpoint"])
def test_I1_I2_I3_the_relay_killed_at_each_point_loses_doubles_and_reorders_nothing(stack, env, auth, point):
    with armed(stack, "relay", point):
        for _ in range(5):
            Person(auth, env["TWILIO_FAKE"]).sign_up()
    wait_for(lambda: everything_arrived(env), "every committed event in Kafka", 60, every=0.5)
    verdict = check(log_rows(env["DATABASE_URL"]), records(env["KAFKA_BROKERS"]))
    assert not verdict.faults and not verdict.duplicates, str(verdict)


def test_I4_otp_killed_at_each_point_calls_the_provider_at_most_once(stack, env, auth):
    for point in ("otp_after_intent", "otp_before_call", "otp_after_call", "otp_after_outcome"):
        with armed(stack, "otp", point):
            for _ in range(3):
                Person(auth, env["TWILIO_FAKE"]).sign_up()
    # Once for all: what a dead process was about to send is known to be over only after its lease.
    wait_for(lambda: query(env["DATABASE_URL"], "SELECT count(*) FROM auth.event_log l WHERE l.topic = 'verification' "
                           "AND NOT EXISTS (SELECT 1 FROM otp.deliveries d WHERE d.event_id = l.event_id)") == [(0,)],
             "every SendOtp to have an intent", 60, every=0.2)
    wait_for(lambda: query(env["DATABASE_URL"], OPEN_INTENTS) == [(0,)], "every intent to end", 60, every=0.2)
    sends = [(send["to"], send["attempt_id"]) for send in get_json(f"{env['TWILIO_FAKE']}/_fake/ledger")["sends"]]
    assert not provider_faults(sends, query(env["DATABASE_URL"], DELIVERIES))
