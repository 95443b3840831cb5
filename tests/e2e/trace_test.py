"""One trace id, followed from the call to the provider."""
import json
import secrets

import pytest

from tests.support.observe import get_json, headers_of, query, raw_records, wait_for


def log_lines(stack, part):
    lines = []
    for text in stack.part(part).log.read_text(errors="replace").splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines


@pytest.fixture
def relay_at_debug(stack):
    """Lines of single events are of that level: there are too many for any other."""
    relay = stack.part("relay")
    before = dict(relay.settings)
    relay.settings["log.level"] = "debug"
    relay.restart()
    yield
    relay.settings = before
    relay.restart()


def test_one_trace_id_goes_from_the_call_through_the_row_and_kafka_to_the_provider(stack, env, person, auth, relay_at_debug):
    trace = secrets.token_hex(16)
    answer = auth.SignupWithPhoneNumber(phone_number=person.phone, metadata=(("traceparent", f"00-{trace}-b7ad6b7169203331-01"),))
    assert answer.verification.verification_id
    person.texts += 1
    person.code()

    rows = query(env["DATABASE_URL"], "SELECT headers->>'traceparent' FROM auth.event_log WHERE headers->>'traceparent' LIKE %s",
                 f"00-{trace}-%")
    assert len(rows) == 2, "both events of the sign-up carry it"
    carried = [headers_of(m) for m in raw_records(env["KAFKA_BROKERS"], ("verification", "user.created"))]
    assert sum(h.get("traceparent", "").startswith(f"00-{trace}-") for h in carried) == 2
    assert any(trace in json.dumps(line) for line in log_lines(stack, "auth"))
    # Three topics: what otp did about it is an event of the same trace.
    wait_for(lambda: {line.get("topic") for line in log_lines(stack, "relay") if line.get("trace_id") == trace}
             == {"verification", "user.created", "otp.log"}, "a line of the relay for each event")
    wait_for(lambda: any(trace in json.dumps(line) for line in log_lines(stack, "otp")), "the trace in otp's log")
    sends = get_json(f"{env['TWILIO_FAKE']}/_fake/requests")
    assert trace in json.dumps(sends), "the provider call carries the traceparent header"
