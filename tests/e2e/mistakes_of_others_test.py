"""Mistakes that comparable services were seen to make. Each test names one and shows that it is not ours."""
import pytest

from tests.support.api import Refused

# Where services are told who calls, each of which a client can write.
SPOOFED = ["x-forwarded-for", "forwarded", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip", "via",
           "x-device-id", "x-request-id"]


def headers(number):
    """Of a caller who is somebody else each time."""
    return tuple((name, f"for=203.0.113.{number}" if name == "forwarded" else f"203.0.113.{number}") for name in SPOOFED)


def test_NET7_a_send_limit_is_keyed_by_a_header_that_the_client_sets(person, auth):
    auth.SignupWithPhoneNumber(phone_number=person.phone, metadata=headers(0))
    for number in range(1, 10):
        with pytest.raises(Refused) as refusal:
            auth.SignupWithPhoneNumber(phone_number=person.phone, metadata=headers(number))
        assert refusal.value.reason == "RESEND_TOO_SOON"


def test_NET7_a_limit_of_guesses_is_keyed_by_a_header_that_the_client_sets(person, auth):
    person.sign_up()
    for number in range(1, 21):
        with pytest.raises(Refused) as refusal:
            auth.VerifyPhoneNumber(verification_id=person.verification_id, code=person.wrong_code(number), metadata=headers(number))
        assert refusal.value.reason == "CODE_REJECTED"
    with pytest.raises(Refused) as refusal:
        auth.VerifyPhoneNumber(verification_id=person.verification_id, code=person.code(), metadata=headers(99))
    assert refusal.value.reason == "CODE_REJECTED", "accepted after twenty wrong ones"
