"""A stack that the tests of this folder may break; each test leaves it whole."""
import pathlib
import urllib.request

import pytest

from deploy.dev.stack import Stack
from tests.e2e.conftest import Person
from tests.support.api import Auth
from tests.support.observe import post_json

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def shared_stack():
    with Stack(run_dir=ROOT / ".run" / "outage", fresh=True) as running:
        yield running


@pytest.fixture
def stack(shared_stack):
    shared_stack.start()
    yield shared_stack
    shared_stack.start()


@pytest.fixture
def env(stack):
    return stack.variables()


@pytest.fixture
def auth(env):
    client = Auth(env["AUTH_GRPC"])
    yield client
    client.close()


@pytest.fixture
def faults(env):
    """Adds fault rules to the Twilio fake; they are gone afterwards."""
    url = f"{env['TWILIO_FAKE']}/_fake/faults"
    yield lambda rule: post_json(url, rule)
    urllib.request.urlopen(urllib.request.Request(url, method="DELETE")).read()


@pytest.fixture
def member_of():
    """Makes a person with an active account."""
    def make(auth, env):
        person = Person(auth, env["TWILIO_FAKE"])
        person.sign_up(first_name="Ada")
        person.verify()
        return person
    return make
