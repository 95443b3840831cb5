"""The road of a person through the real processes."""
import grpc
import pytest

from tests.e2e.conftest import Person
from tests.support.api import Refused
from tests.support.observe import log_rows, messages, query, records, wait_for


def test_a_sign_up_becomes_rows_events_records_and_a_code(person, env):
    person.sign_up(first_name="Ada", last_name="Lovelace")
    code = person.code()
    assert code.isdigit()
    (user,) = query(env["DATABASE_URL"], "SELECT id::text, status FROM auth.users WHERE phone = %s", person.phone)
    assert user[1] == "pending"
    created = [row for row in log_rows(env["DATABASE_URL"], ("auth",)) if row.key == user[0]]
    assert [row.type for row in created] == ["user.created"]
    wait_for(lambda: any(r.event_id == created[0].event_id for r in records(env["KAFKA_BROKERS"], ("user.created",))),
             "user.created in Kafka")


def test_a_verified_person_can_log_in_refresh_and_log_out(member, auth):
    profile = auth.GetProfile(bearer=member.tokens.access_token).profile
    assert (profile.user_id, profile.phone_number, profile.first_name) == (member.user_id, member.phone, "Ada")
    member.start_log_in()
    member.finish_log_in()
    renewed = auth.RefreshToken(refresh_token=member.tokens.refresh_token).tokens
    assert auth.IntrospectToken(token=renewed.access_token).active
    auth.Logout(bearer=renewed.access_token)
    assert not auth.IntrospectToken(token=renewed.access_token).active
    with pytest.raises(Refused) as refusal:
        auth.RefreshToken(refresh_token=renewed.refresh_token)
    assert refusal.value.reason == "SESSION_ENDED"


def test_OTP3_a_code_is_good_once(member):
    member.start_log_in()
    code = member.code()
    member.finish_log_in(code)
    with pytest.raises(Refused) as refusal:
        member.finish_log_in(code)
    assert refusal.value.reason == "CODE_REJECTED"


def test_a_wrong_code_is_refused_and_the_right_one_still_works(person):
    person.sign_up()
    with pytest.raises(Refused) as refusal:
        person.verify(person.wrong_code())
    assert (refusal.value.code, refusal.value.reason) == (grpc.StatusCode.UNAUTHENTICATED, "CODE_REJECTED")
    person.verify()


def test_OTP4_after_five_wrong_codes_the_right_one_is_refused_too(person):
    person.sign_up()
    for number in range(1, 6):
        with pytest.raises(Refused):
            person.verify(person.wrong_code(number))
    with pytest.raises(Refused) as refusal:
        person.verify()
    assert refusal.value.reason == "CODE_REJECTED"


def test_a_wrong_code_that_is_sent_again_counts_once(person):
    person.sign_up()
    for _ in range(8):
        with pytest.raises(Refused):
            person.verify(person.wrong_code())
    person.verify()


def test_within_the_cooldown_everybody_gets_the_wait_and_no_id(member, person, auth, env):
    stranger = Person(auth, env["TWILIO_FAKE"])
    for one in (member, stranger):
        one.start_log_in()
        with pytest.raises(Refused) as refusal:
            one.auth.LoginWithPhoneNumber(phone_number=one.phone)
        assert (refusal.value.code, refusal.value.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RESEND_TOO_SOON")
        assert 0 < refusal.value.wait <= 30


def test_logging_in_with_an_unknown_number_sends_nothing(person, env):
    person.start_log_in()
    challenges = wait_for(lambda: query(
        env["DATABASE_URL"], "SELECT state FROM otp.deliveries d JOIN auth.verifications v USING (challenge_id) WHERE v.phone = %s",
        person.phone), "the decoy to be handled")
    assert challenges == [("decoy",)]
    assert not messages(env["TWILIO_FAKE"], person.phone)
    with pytest.raises(Refused) as refusal:
        person.auth.ValidatePhoneNumberLogin(verification_id=person.verification_id, code="123456")
    assert refusal.value.reason == "CODE_REJECTED"


def test_signing_up_a_registered_number_tells_nothing_until_the_code_is_right(member, auth):
    again = member.sign_up()
    assert len(again.verification_id) == 22
    with pytest.raises(Refused) as refusal:
        member.verify()
    assert (refusal.value.code, refusal.value.reason) == (grpc.StatusCode.ALREADY_EXISTS, "ALREADY_REGISTERED")


def test_logging_in_before_verifying_is_told_only_after_a_right_code(person, env):
    person.sign_up()
    person.code()
    query(env["DATABASE_URL"], "UPDATE auth.numbers n SET next_send_at = now() FROM auth.verifications v "
                               "WHERE v.phone_hash = n.phone_hash AND v.phone = %s RETURNING 1", person.phone)
    person.start_log_in()
    with pytest.raises(Refused) as refusal:
        person.finish_log_in(person.wrong_code())
    assert refusal.value.reason == "CODE_REJECTED"
    with pytest.raises(Refused) as refusal:
        person.finish_log_in()
    assert (refusal.value.code, refusal.value.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ACCOUNT_NOT_VERIFIED")


def test_TOK8_a_replaced_refresh_token_ends_the_session_after_the_grace(member, auth, env):
    first = member.tokens.refresh_token
    second = auth.RefreshToken(refresh_token=first).tokens
    assert auth.RefreshToken(refresh_token=first).tokens.refresh_token == second.refresh_token, "within the grace"
    query(env["DATABASE_URL"], "UPDATE auth.sessions SET rotated_at = rotated_at - interval '1 min' WHERE id = %s RETURNING 1",
          second.session_id)
    with pytest.raises(Refused) as refusal:
        auth.RefreshToken(refresh_token=first)
    assert refusal.value.reason == "REFRESH_TOKEN_REUSED"
    assert not auth.IntrospectToken(token=second.access_token).active
    with pytest.raises(Refused):
        auth.RefreshToken(refresh_token=second.refresh_token)


def test_everything_a_session_did_is_in_the_log_in_order(member, auth, env):
    renewed = auth.RefreshToken(refresh_token=member.tokens.refresh_token).tokens
    auth.Logout(bearer=renewed.access_token)
    told = [(row.seq, row.type) for row in log_rows(env["DATABASE_URL"], ("auth",)) if row.key == member.user_id]
    assert told == [(1, "user.created"), (2, "user.verified"), (3, "session.logged_in"), (4, "session.refreshed"),
                    (5, "session.logged_out")]
