"""Bad input is INVALID_ARGUMENT with the field at fault: never INTERNAL, never a crash."""
import grpc
import pytest

from tests.support.api import Refused, auth_pb2

GOOD = {"phone_number": "+4915112345678"}
SIGNUP_FAULTS = [
    ("phone_number", ""),
    ("phone_number", "12"),
    ("phone_number", "+49151letters"),
    ("phone_number", "+1415\0005550123"),
    ("phone_number", "+" + "9" * 31),
    ("phone_number", "9" * 2000),
    ("first_name", "x" * 65),
    ("first_name", "A\0da"),
    ("last_name", "x" * 65),
    ("name", "x" * 129),
    ("email", "not an address"),
    ("email", "a@" + "b" * 300 + ".org"),
    ("country", "ZZ"),
    ("country", "x" * 300),
    ("salutation", "x" * 33),
    ("locale", "x" * 36),
    ("channel", 99),
    ("device_id", "x" * 129),
]


@pytest.mark.parametrize("field, value", SIGNUP_FAULTS, ids=[f"{f}-{i}" for i, (f, _) in enumerate(SIGNUP_FAULTS)])
def test_a_bad_sign_up_field_is_named(auth, field, value):
    with pytest.raises(Refused) as refusal:
        auth.SignupWithPhoneNumber(**{**GOOD, field: value})
    assert refusal.value.code == grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.value.fields == [field]


@pytest.mark.parametrize("method, fields, at_fault", [
    ("VerifyPhoneNumber", {"verification_id": "", "code": "123456"}, "verification_id"),
    ("VerifyPhoneNumber", {"verification_id": "A" * 22, "code": ""}, "code"),
    ("VerifyPhoneNumber", {"verification_id": "A" * 22, "code": "12 456"}, "code"),
    ("VerifyPhoneNumber", {"verification_id": "A" * 22, "code": "1" * 11}, "code"),
    ("ValidatePhoneNumberLogin", {"verification_id": "A" * 5000, "code": "123456"}, "verification_id"),
    ("ResendCode", {"verification_id": ""}, "verification_id"),
    ("LoginWithPhoneNumber", {"phone_number": ""}, "phone_number"),
    ("RefreshToken", {"refresh_token": ""}, "refresh_token"),
    ("IntrospectToken", {"token": ""}, "token"),
    ("IntrospectToken", {"token": "x" * 9000}, "token"),
])
def test_a_bad_field_of_any_call_is_named(auth, method, fields, at_fault):
    with pytest.raises(Refused) as refusal:
        getattr(auth, method)(**fields)
    assert refusal.value.code == grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.value.fields == [at_fault]


def test_a_name_together_with_its_parts_is_refused(auth):
    with pytest.raises(Refused) as refusal:
        auth.SignupWithPhoneNumber(**GOOD, name="Ada Lovelace", first_name="Ada")
    assert refusal.value.fields == ["name"]


def raw_call(auth, method, wire):
    call = auth.channel.unary_unary(f"/countersign.auth.v1.AuthService/{method}", request_serializer=None,
                                    response_deserializer=None)
    with pytest.raises(grpc.RpcError) as error:
        call(wire, timeout=5)
    return error.value


def test_invalid_utf8_is_refused_with_the_field(auth):
    wire = b"\x0a\x03\xff\xfe\xfd"  # field 1 (phone_number) with three bytes that are no UTF-8
    error = raw_call(auth, "SignupWithPhoneNumber", wire)
    assert Refused(error).code == grpc.StatusCode.INVALID_ARGUMENT
    assert Refused(error).fields == ["phone_number"]


@pytest.mark.parametrize("wire, field", [
    (b"\x08\x01", "phone_number"),                                  # 1 as a number where there is text
    (b"\x0d\x01\x00\x00\x00", "phone_number"),                      # 1 as four bytes
    (b"\x0a\x0e+4915112345678\x10\x01", "name"),                    # 2 as a number
    (b"\x0a\x0e+4915112345678\x42\x01x", "channel"),                # 8 as text where there is a number
])
def test_a_field_of_another_type_is_refused_with_the_field(auth, wire, field):
    refused = Refused(raw_call(auth, "SignupWithPhoneNumber", wire))
    assert (refused.code, refused.reason, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID", [field])


@pytest.mark.parametrize("wire", [b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x05abc", b"\xff" * 30], ids=["length", "end", "tag"])
def test_what_is_no_message_is_refused_as_a_whole(auth, wire):
    refused = Refused(raw_call(auth, "SignupWithPhoneNumber", wire))
    assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["request"])


def test_NET2_a_message_over_64_kib_is_refused(auth):
    request = auth_pb2.SignupWithPhoneNumberRequest(phone_number="+4915112345678", first_name="x" * 70_000)
    with pytest.raises(grpc.RpcError) as error:
        auth._stub.SignupWithPhoneNumber(request, timeout=5)
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("bearer", ["", "x", "a.b.c", "..", "Bearer", "~" * 5000, "eyJhbGciOiJub25lIn0.e30."])
def test_a_bad_bearer_token_is_unauthenticated(auth, bearer):
    with pytest.raises(Refused) as refusal:
        auth.GetProfile(metadata=(("authorization", f"Bearer {bearer}"),))
    assert refusal.value.code == grpc.StatusCode.UNAUTHENTICATED


def test_no_credentials_are_unauthenticated(auth):
    with pytest.raises(Refused) as refusal:
        auth.GetProfile()
    assert (refusal.value.code, refusal.value.reason) == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_MISSING")


def test_another_accounts_profile_is_denied(member, auth):
    with pytest.raises(Refused) as refusal:
        auth.GetProfile(bearer=member.tokens.access_token, user_id="01900000-0000-7000-8000-000000000000")
    assert (refusal.value.code, refusal.value.reason) == (grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED")


def test_a_refresh_token_is_no_access_token(member, auth):
    with pytest.raises(Refused) as refusal:
        auth.GetProfile(bearer=member.tokens.refresh_token)
    assert refusal.value.reason == "TOKEN_INVALID"
    assert not auth.IntrospectToken(token=member.tokens.refresh_token).active
