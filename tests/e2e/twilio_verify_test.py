"""The same road where Twilio Verify makes the codes and checks them."""
import pytest

from deploy.dev.stack import ROOT, Stack
from tests.e2e.conftest import Person
from tests.support.api import Auth, Refused
from tests.support.observe import get_json, messages, post_json, query


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


@pytest.fixture
def person(auth, env):
    return Person(auth, env["TWILIO_FAKE"])


def operations(env):
    return [call["operation"] for call in get_json(f"{env['TWILIO_FAKE']}/_fake/requests")["requests"]]


def let_cooldown_pass(env, person):
    query(env["DATABASE_URL"], "UPDATE auth.numbers n SET next_send_at = now() FROM auth.verifications v "
                               "WHERE v.phone_hash = n.phone_hash AND v.phone = %s RETURNING 1", person.phone)


def checks(env, phone):
    sids = {send["sid"] for send in messages(env["TWILIO_FAKE"], phone)}
    return [call for call in get_json(f"{env['TWILIO_FAKE']}/_fake/requests")["requests"]
            if call["operation"] == "CreateVerificationCheck" and call["form"].get("VerificationSid") in sids]


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


def test_OTP4_wrong_codes_are_counted_here_and_no_more_than_five_are_asked(person, env):
    person.sign_up()
    code = person.code()
    for guess in (f"{(int(code) + n) % 1_000_000:06d}" for n in range(1, 8)):
        with pytest.raises(Refused) as refusal:
            person.verify(guess)
        assert refusal.value.reason == "CODE_REJECTED"
    with pytest.raises(Refused):
        person.verify(code)
    assert len(checks(env, person.phone)) == 5


def test_a_resend_makes_another_code_and_ends_the_first(person, env, auth):
    person.sign_up()
    first = person.code()
    let_cooldown_pass(env, person)
    auth.ResendCode(verification_id=person.verification_id)
    person.texts += 1
    second = person.code()
    if first != second:
        with pytest.raises(Refused):
            person.verify(first)
    assert person.verify(second).tokens.access_token


def test_a_sign_up_begun_anew_after_six_minutes_has_a_code_with_its_full_life(person, env):
    person.sign_up()
    first = person.code()
    post_json(f"{env['TWILIO_FAKE']}/_fake/clock", {"advance_seconds": 360})
    let_cooldown_pass(env, person)
    person.sign_up()
    second = person.code()
    sids = [send["sid"] for send in messages(env["TWILIO_FAKE"], person.phone)]
    assert sids[0] != sids[1], f"not the old one again, whose time is nearly over ({first}, {second})"
    post_json(f"{env['TWILIO_FAKE']}/_fake/clock", {"advance_seconds": 290})
    assert person.verify(second).tokens.access_token
