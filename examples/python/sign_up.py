"""Signs a person up by phone number: code, verification, profile, refresh, logout."""
import argparse
import json
import time
import urllib.parse
import urllib.request

import grpc
from google.rpc import error_details_pb2, status_pb2

import stubs

stubs.generate()
from countersign.auth.v1 import auth_pb2, auth_pb2_grpc  # noqa: E402  (generated just now)


def reason_and_wait(error):
    """The stable word of a refusal and how long to wait, from the rich error details."""
    reason, wait = error.code().name, None
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        for detail in status_pb2.Status.FromString(value).details:
            info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
            if detail.Unpack(info):
                reason = info.reason
            elif detail.Unpack(retry):
                wait = retry.retry_delay.ToTimedelta().total_seconds()
    return reason, wait


def code_from_fake(fake, phone, tries=100):
    query = urllib.parse.urlencode({"to": phone})
    for _ in range(tries):
        with urllib.request.urlopen(f"{fake}/_fake/messages?{query}") as answer:
            body = json.load(answer)
        messages = body["messages"] if isinstance(body, dict) else body
        if messages:
            return messages[-1]["code"]
        time.sleep(0.1)
    raise SystemExit("no message arrived")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--auth", required=True, help="host:port of countersign-auth")
    parser.add_argument("--phone", required=True, help="international form")
    parser.add_argument("--fake", help="URL of the development stack's Twilio fake")
    arguments = parser.parse_args()

    auth = auth_pb2_grpc.AuthServiceStub(grpc.insecure_channel(arguments.auth))
    try:
        started = auth.SignupWithPhoneNumber(
            auth_pb2.SignupWithPhoneNumberRequest(phone_number=arguments.phone, first_name="Ada", last_name="Lovelace"),
            timeout=5)
    except grpc.RpcError as error:
        reason, wait = reason_and_wait(error)
        raise SystemExit(f"refused: {reason}" + (f", try again in {wait:.0f} s" if wait else ""))
    print(f"a code is on its way, good until {started.verification.expires_at.ToDatetime():%H:%M:%S} UTC")

    code = code_from_fake(arguments.fake, arguments.phone) if arguments.fake else input("code: ")
    verified = auth.VerifyPhoneNumber(
        auth_pb2.VerifyPhoneNumberRequest(verification_id=started.verification.verification_id, code=code), timeout=5)
    print(f"welcome, user {verified.user_id}")

    bearer = [("authorization", f"Bearer {verified.tokens.access_token}")]
    profile = auth.GetProfile(auth_pb2.GetProfileRequest(), metadata=bearer, timeout=5).profile
    print(f"profile: {profile.first_name} {profile.last_name}, {profile.country}, {profile.role}")

    renewed = auth.RefreshToken(auth_pb2.RefreshTokenRequest(refresh_token=verified.tokens.refresh_token), timeout=5)
    auth.Logout(auth_pb2.LogoutRequest(refresh_token=renewed.tokens.refresh_token), timeout=5)
    print("refreshed once and logged out")


if __name__ == "__main__":
    main()
