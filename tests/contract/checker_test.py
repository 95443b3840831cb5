"""The checks of this folder are tested with planted faults: a check that cannot fail proves nothing."""
import copy
import json

import pytest

from tests.contract.conftest import Client
from tests.contract.exchange_test import complaints
from tests.contract.journeys import new_phone, use_messaging, use_verify
from tests.contract.recorder import Recorder


def test_all_examples_of_the_documents_pass(contract):
    count = 0
    for operation in contract.operations:
        for status, name, body in operation.examples():
            found = list(operation.response_complaints(status, "application/json", json.dumps(body)))
            assert found == [], f"{operation.name} {name}"
            count += 1
    assert count >= 30


def examples(contract, name, status):
    operation = next(operation for operation in contract.operations if operation.name == name)
    return operation, [body for number, _, body in operation.examples() if number == status]


@pytest.mark.parametrize("name, status, change", [
    ("CreateVerification", 201, {"sid": "VEaaaa"}),
    ("CreateVerification", 201, {"sid": 7}),
    ("CreateVerification", 201, {"channel": "pigeon"}),
    ("CreateVerification", 201, {"date_created": "yesterday"}),
    ("CreateVerification", 201, {"url": "/relative"}),
    ("CreateVerification", 201, {"surprise": 1}),
    ("CreateVerification", 429, {"code": "20429"}),
    ("CreateVerification", 429, {"status": None}),
    ("CreateMessage", 201, {"status": "flying"}),
    ("CreateMessage", 201, {"num_segments": 1}),
    ("CreateMessage", 201, {"date_sent": "2015-07-30T20:00:00Z"}),
    ("FetchService", 200, {"account_sid": "VAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}),
])
def test_a_changed_property_is_reported(contract, name, status, change):
    operation, bodies = examples(contract, name, status)
    for body in bodies:
        assert list(operation.response_complaints(status, "application/json", json.dumps({**body, **change})))


def test_every_missing_property_is_reported(contract):
    for operation in contract.operations:
        for status, name, body in operation.examples():
            for left_out in body:
                less = copy.copy(body)
                del less[left_out]
                assert list(operation.response_complaints(status, "application/json", json.dumps(less))), \
                    f"{operation.name} {name} without {left_out}"


@pytest.mark.parametrize("status, content_type, body", [
    (201, "text/html", "{}"), (201, "application/json", "<html>"), (299, "application/json", "{}"),
    (500, "application/json", '{"error": "no"}')])
def test_an_answer_of_another_form_is_reported(contract, status, content_type, body):
    operation, _ = examples(contract, "CreateVerification", 201)
    assert list(operation.response_complaints(status, content_type, body))


def without(name):
    return lambda form: [(key, value) for key, value in form if key != name]


def renamed(old, new):
    return lambda form: [(new if key == old else key, value) for key, value in form]


@pytest.mark.parametrize("provider, change_form, complaint", [
    ("twilio-verify", without("Channel"), "CreateVerification: form: Channel is missing"),
    ("twilio-verify", without("To"), "CreateVerification: form: To is missing"),
    ("twilio-verify", renamed("Tags", "Tagz"), "CreateVerification: form: Tagz is unknown"),
    ("twilio-verify", lambda form: form + form[:1], "CreateVerification: form: To is there twice"),
    ("twilio-messaging", without("To"), "CreateMessage: form: To is missing"),
    ("twilio-messaging", lambda form: [*form, ("Tags", "{}")], "CreateMessage: form: Tags is unknown"),
    ("twilio-messaging", lambda form: [*without("ValidityPeriod")(form), ("ValidityPeriod", "soon")],
     "CreateMessage: form: ValidityPeriod: 'soon' is not of type 'integer'"),
])
def test_a_client_that_sends_a_wrong_form_is_reported(contract, fake, tmp_path, provider, change_form, complaint):
    with Recorder(fake.url, change_form) as recorder, Client(tmp_path, provider, recorder.url, recorder.url) as client:
        client.order("send", to=new_phone(), code="482915")
    assert complaint in complaints(contract, recorder)


def test_a_client_without_credentials_is_reported(contract, recorder, client):
    with client("twilio-verify") as verify:
        verify.order("send", to=new_phone())
    exchange = recorder.exchanges[-1]
    del exchange.headers["authorization"]
    assert contract.complaints(exchange) == ["CreateVerification: no basic authentication"]


def test_a_client_that_calls_something_else_is_reported(contract, recorder, client):
    with client("twilio-verify") as verify:
        verify.order("send", to=new_phone())
    exchange = recorder.exchanges[-1]
    exchange.target = exchange.target.replace("Verifications", "Verification")
    assert "no such operation" in contract.complaints(exchange)[0]


def test_a_fake_with_a_malformed_sid_is_reported(contract, recorder, client, fake):
    fake.fault(malformed_sid=True)
    with client("twilio-verify") as verify:
        assert verify.order("send", to=new_phone())["status"] == "unknown"
    with client("twilio-messaging") as messaging:
        assert messaging.order("send", to=new_phone(), code="482915")["status"] == "unknown"
    found = complaints(contract, recorder)
    for operation in ("CreateVerification", "CreateMessage"):
        assert any(line.startswith(f"{operation}: 201: sid: ") for line in found), found


def test_an_operation_that_is_not_exercised_is_noticed(contract, recorder, client, fake, operations):
    with client("twilio-verify") as verify:
        use_verify(verify, fake)
    seen = {contract.find(exchange.method, exchange.path).name for exchange in recorder.exchanges}
    assert operations - seen == {"CreateMessage", "ListMessage"}
