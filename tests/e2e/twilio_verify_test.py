"""The same road where Twilio makes, sends and checks the codes."""
import pathlib

import pytest

from deploy.dev.stack import Stack
from tests.e2e.conftest import Person
from tests.support.api import Auth, Refused
from tests.support.observe import get_json, messages, post_json, query

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def env():
    with Stack(run_dir=ROOT / ".run" / "e2e-verify", settings={"otp": {"provider": "twilio-verify"}}, fresh=True) as running:
        yield running.variables()
    running.remove()


@pytest.fixture(scope="module")
def auth(env):
    client = Auth(env["AUTH_GRPC"])
    yield client
    client.close()


@pytest.fixture
def person(auth, env):
    return Person(auth, env["TWILIO_FAKE"])


def let_cooldown_pass(env, person):
    query(env["DATABASE_URL"], "UPDATE auth.numbers n SET next_send_at = now() FROM auth.verifications v "
                               "WHERE v.phone_hash = n.phone_hash AND v.phone = %s RETURNING 1", person.phone)


def checks(env, phone):
    sids = {send["sid"] for send in messages(env["TWILIO_FAKE"], phone)}
    return [call for call in get_json(f"{env['TWILIO_FAKE']}/_fake/requests")["requests"]
            if call["operation"] == "CreateVerificationCheck" and call["form"].get("VerificationSid") in sids]


def test_a_code_that_twilio_made_signs_up_and_logs_in(person, env):
    person.sign_up(first_name="Ada")
    person.verify()
    let_cooldown_pass(env, person)
    person.start_log_in()
    assert person.finish_log_in().tokens.access_token
    stored = query(env["DATABASE_URL"], "SELECT code_hmac IS NULL, provider_sid FROM otp.challenges c "
                                        "JOIN auth.verifications v ON v.challenge_id = c.id WHERE v.phone = %s", person.phone)
    assert len(stored) == 2 and all(nothing and sid.startswith("VE") for nothing, sid in stored), "no trace of a code"


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
