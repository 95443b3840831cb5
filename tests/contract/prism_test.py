"""Our client and the fake through Prism, which refuses what breaks the documents. In `make test-full`, where
Node is new enough for it."""
import pytest

from tests.contract import prism
from tests.contract.conftest import Client, Fake
from tests.contract.journeys import new_phone, sent, use_messaging, use_verify
from tests.contract.recorder import Recorder

pytestmark = [pytest.mark.full,
              pytest.mark.skipif(not prism.BINARY.exists(), reason="Prism is not installed: make setup-full, Node 20")]


@pytest.fixture(scope="module")
def behind(documents, tmp_path_factory):
    """A fake and, before it, Prism."""
    folder = tmp_path_factory.mktemp("prism")
    fake = Fake(folder)
    try:
        with prism.proxies(folder, documents, fake.url) as urls:
            yield fake, *urls
    finally:
        fake.stop()


@pytest.fixture
def seen(behind):
    """The fake, forgetful, and a recorder before each of the proxies: what Prism answered."""
    fake, verify, api = behind
    fake.reset()
    with Recorder(verify) as to_verify, Recorder(api) as to_api:
        yield fake, to_verify, to_api


def violations(*recorders):
    return [exchange.body for recorder in recorders for exchange in recorder.exchanges
            if b"stoplight.io/prism" in exchange.body or b"#VIOLATIONS" in exchange.body]


def test_prism_finds_nothing_in_what_client_and_fake_say(seen, tmp_path):
    fake, to_verify, to_api = seen
    with Client(tmp_path, "twilio-verify", to_verify.url, to_api.url) as verify:
        use_verify(verify, fake)
    with Client(tmp_path, "twilio-messaging", to_verify.url, to_api.url) as messaging:
        use_messaging(messaging)
    assert violations(to_verify, to_api) == []
    assert to_verify.exchanges and to_api.exchanges


def test_prism_refuses_a_client_that_omits_the_channel(seen, tmp_path):
    fake, to_verify, to_api = seen
    to_verify.change_form = lambda form: [(name, value) for name, value in form if name != "Channel"]
    with Client(tmp_path, "twilio-verify", to_verify.url, to_api.url) as verify:
        verify.order("send", to=new_phone())
    assert b"Channel" in violations(to_verify)[0]
    assert fake.ask("/_fake/ledger")["total"] == 0


def test_prism_refuses_a_fake_with_a_malformed_sid(seen, tmp_path):
    fake, to_verify, to_api = seen
    with Client(tmp_path, "twilio-verify", to_verify.url, to_api.url) as verify:
        sent(verify, new_phone())
        assert violations(to_verify) == []
        fake.fault(malformed_sid=True)
        assert verify.order("send", to=new_phone())["status"] == "unknown"
    with Client(tmp_path, "twilio-messaging", to_verify.url, to_api.url) as messaging:
        assert messaging.order("send", to=new_phone(), code="482915")["status"] == "unknown"
    assert b"sid" in violations(to_verify)[0]
    assert b"sid" in violations(to_api)[0]
