"""Malformed guesses are refused with the field, before anything is counted."""
import grpc
import pytest

from tests.support.api import Refused, otp_channel, otp_grpc, otp_pb2

GOOD = dict(challenge_id="01900000-0000-4000-8000-000000000000", code="123456", purpose=1, claim_id=bytes(32))


@pytest.fixture(scope="module")
def verify(env):
    with otp_channel(env["OTP_GRPC"], env["TLS_DIR"]) as channel:
        stub = otp_grpc.OtpServiceStub(channel)
        yield lambda **fields: stub.VerifyOtp(otp_pb2.VerifyOtpRequest(**{**GOOD, **fields}), timeout=5)


def test_a_well_formed_guess_at_an_unknown_challenge_is_an_answer(verify):
    answer = verify(context_digest=bytes(32))
    assert (answer.verdict, answer.attempts_left) == (otp_pb2.VERDICT_NOT_FOUND, 0)


@pytest.mark.parametrize("field, value", [
    ("challenge_id", ""), ("challenge_id", "not-a-uuid"), ("challenge_id", "0190000000004000800000000000000000"),
    ("code", ""), ("code", "123"), ("code", "12345678901"), ("code", "12 456"), ("code", "12345\u0661"), ("code", "12\x0056"),
    ("purpose", 0), ("purpose", 99),
    ("claim_id", b""), ("claim_id", bytes(31)), ("claim_id", bytes(33)),
    ("context_digest", bytes(1)), ("context_digest", bytes(64)),
])
def test_a_malformed_field_is_named(verify, field, value):
    with pytest.raises(grpc.RpcError) as error:
        verify(**{field: value})
    refusal = Refused(error.value)
    assert (refusal.code, refusal.reason, refusal.fields) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID", [field])
