"""Our client and the fake keep to Twilio's OpenAPI documents, in every exchange between them."""
import base64
import json
import urllib.error
import urllib.parse
import urllib.request

import pytest

from tests.contract.conftest import ACCOUNT, SERVICES, TOKEN
from tests.contract.journeys import new_phone, use_messaging, use_verify

SIGNUP = f"/v2/Services/{SERVICES['signup']}"
MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT}/Messages"


def call(recorder, target, form=None, token=TOKEN):
    """A request that our client does not make, but others may make to the fake. The last exchange."""
    pair = base64.b64encode(f"{ACCOUNT}:{token}".encode()).decode()
    request = urllib.request.Request(
        recorder.url + target, data=None if form is None else urllib.parse.urlencode(form).encode(),
        headers={"Authorization": f"Basic {pair}"})
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except urllib.error.HTTPError as refusal:
        refusal.close()
    return recorder.exchanges[-1]


def complaints(contract, recorder):
    return [complaint for exchange in recorder.exchanges for complaint in contract.complaints(exchange)]


def names(contract, recorder):
    return {contract.find(exchange.method, exchange.path).name for exchange in recorder.exchanges}


def test_client_and_fake_keep_to_the_documents_in_every_operation(contract, client, recorder, fake, operations):
    with client("twilio-verify") as verify:
        use_verify(verify, fake)
    with client("twilio-messaging") as messaging:
        use_messaging(messaging)
    with client("twilio-messaging", **{"from": ""}, messaging_service_sid="MG00000000000000000000000000000001",
                status_callback="https://auth.example.com/twilio") as pooled:
        use_messaging(pooled)
    assert complaints(contract, recorder) == []
    assert names(contract, recorder) == operations


def test_what_only_others_ask_of_the_fake(contract, recorder):
    phone = new_phone()
    assert call(recorder, f"{SIGNUP}/Verifications", {"To": phone, "Channel": "sms"}).status == 201
    assert call(recorder, f"{SIGNUP}/Verifications/{urllib.parse.quote(phone)}").status == 200
    assert call(recorder, f"{SIGNUP}/VerificationCheck", {"To": phone, "Code": "0000"}).status == 201
    assert call(recorder, f"{SIGNUP}/Verifications/{urllib.parse.quote(phone)}", {"Status": "approved"}).status == 200
    assert call(recorder, f"/v2/Attempts?PageSize=1&ChannelData.To={urllib.parse.quote(phone)}").status == 200
    for _ in range(3):
        sent = call(recorder, f"{MESSAGES}.json", {"To": phone, "From": "+15005550006", "Body": "1234"})
        assert sent.status == 201
    for page in range(3):
        assert call(recorder, f"{MESSAGES}.json?PageSize=1&Page={page}").status == 200
    sid = json.loads(sent.body)["sid"]
    assert call(recorder, f"{MESSAGES}/{sid}.json").status == 200
    assert complaints(contract, recorder) == []
    assert {"FetchVerification", "FetchMessage", "ListMessage"} <= names(contract, recorder)


REFUSALS = [
    (401, "wrong credentials", f"{SIGNUP}", None, "wrong"),
    (404, "unknown service", "/v2/Services/VAffffffffffffffffffffffffffffffff", None, TOKEN),
    (404, "unknown verification", f"{SIGNUP}/Verifications/VE{'0' * 32}", None, TOKEN),
    (404, "check of nothing", f"{SIGNUP}/VerificationCheck", {"To": "+4915100000000", "Code": "123456"}, TOKEN),
    (400, "no number", f"{SIGNUP}/Verifications", {"To": "49", "Channel": "sms"}, TOKEN),
    (400, "no channel of theirs", f"{SIGNUP}/Verifications", {"To": "+4915100000000", "Channel": "pigeon"}, TOKEN),
    (403, "custom code", f"{SIGNUP}/Verifications",
     {"To": "+4915100000000", "Channel": "sms", "CustomCode": "123456"}, TOKEN),
    (400, "no such number", f"{MESSAGES}.json", {"To": "+15005550001", "From": "+15005550006", "Body": "x"}, TOKEN),
    (403, "country", f"{MESSAGES}.json", {"To": "+15005550003", "From": "+15005550006", "Body": "x"}, TOKEN),
    (429, "full queue", f"{MESSAGES}.json", {"To": "+4915100000000", "From": "+15005550008", "Body": "x"}, TOKEN),
]


@pytest.mark.parametrize("status, target, form, token", [(s, *rest) for s, _, *rest in REFUSALS],
                         ids=[what for _, what, *_ in REFUSALS])
def test_refusals_of_the_fake_have_the_described_form(contract, recorder, status, target, form, token):
    exchange = call(recorder, target, form, token)
    assert exchange.status == status
    operation = contract.find(exchange.method, exchange.path)
    assert list(operation.response_complaints(exchange.status, exchange.content_type, exchange.body)) == []


@pytest.mark.parametrize("status, code", [(429, 20429), (429, 60203), (429, 60212), (500, 20500), (503, 20503)])
def test_refusals_set_by_a_rule_have_the_described_form(contract, recorder, fake, status, code):
    fake.fault(status=status, code=code, retry_after="3")
    exchange = call(recorder, f"{SIGNUP}/Verifications", {"To": new_phone(), "Channel": "sms"})
    assert exchange.status == status
    assert complaints(contract, recorder) == []
