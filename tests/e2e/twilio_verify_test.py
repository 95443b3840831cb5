"""The same road where Twilio Verify makes the codes and checks them."""
import pytest

from deploy.dev.stack import ROOT, Stack
from tests.e2e.conftest import Person
from tests.support.api import Auth, Refused
from tests.support.observe import get_json, query


@pytest.fixture(scope="module")
def env():
    settings = {"otp": {"provider": "twilio-verify"}}
    with Stack(run_dir=ROOT / ".run" / "e2e-verify", fresh=True, settings=settings) as stack:
        yield stack.variables()


@pytest.fixture(scope="module")
def auth(env):
    client = Auth(env["AUTH_GRPC"])
    yield client
    client.close()


def operations(env):
    return [call["operation"] for call in get_json(f"{env['TWILIO_FAKE']}/_fake/requests")["requests"]]


def test_a_person_signs_up_and_logs_in_with_codes_that_twilio_makes(auth, env):
    person = Person(auth, env["TWILIO_FAKE"])
    person.sign_up(first_name="Ada")
    with pytest.raises(Refused) as refusal:
        person.verify(person.wrong_code())
    assert refusal.value.reason == "CODE_REJECTED"
    person.verify()
    person.start_log_in()
    person.finish_log_in()
    with pytest.raises(Refused):
        person.finish_log_in()
    assert auth.IntrospectToken(token=person.tokens.access_token).active
    made = operations(env)
    assert made.count("CreateVerification") == 2 and "CreateMessage" not in made
    assert made.count("CreateVerificationCheck") == 3, "one for each guess that could still be right"


def test_no_code_of_such_an_installation_is_kept_here(auth, env):
    person = Person(auth, env["TWILIO_FAKE"])
    person.sign_up()
    person.code()
    assert query(env["DATABASE_URL"], "SELECT count(*) FROM otp.challenges WHERE code_hmac IS NOT NULL") == [(0,)]
