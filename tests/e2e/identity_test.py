"""VerifyOtp belongs to auth alone."""
import grpc
import pytest

from tests.support.api import Refused, otp_channel, otp_grpc, otp_pb2

REQUEST = dict(challenge_id="01900000-0000-4000-8000-000000000000", code="123456", purpose=1, claim_id=bytes(32))


def verify(env, identity):
    with otp_channel(env["OTP_GRPC"], env["TLS_DIR"], identity) as channel:
        return otp_grpc.OtpServiceStub(channel).VerifyOtp(otp_pb2.VerifyOtpRequest(**REQUEST), timeout=5)


def test_NET1_auth_may_check_codes(env):
    assert verify(env, "auth").verdict == otp_pb2.VERDICT_NOT_FOUND


def test_NET1_without_a_certificate_the_caller_is_unauthenticated(env):
    with pytest.raises(grpc.RpcError) as error:
        verify(env, None)
    assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert Refused(error.value).reason == "CREDENTIALS_MISSING"


@pytest.mark.parametrize("identity", ["otp", "reporting"])
def test_NET1_another_service_is_denied(env, identity):
    with pytest.raises(grpc.RpcError) as error:
        verify(env, identity)
    assert error.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert Refused(error.value).reason == "CALLER_NOT_ALLOWED"


def test_NET1_plaintext_reaches_nothing(env):
    with grpc.insecure_channel(env["OTP_GRPC"]) as channel, pytest.raises(grpc.RpcError) as error:
        otp_grpc.OtpServiceStub(channel).VerifyOtp(otp_pb2.VerifyOtpRequest(**REQUEST), timeout=3)
    assert error.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
