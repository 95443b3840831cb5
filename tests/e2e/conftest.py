"""One full stack for all end-to-end tests, and people who never met before."""
import itertools
import pathlib
import secrets

import pytest

from deploy.dev.stack import Stack
from tests.support.api import Auth
from tests.support.observe import code_on_phone

ROOT = pathlib.Path(__file__).resolve().parents[2]
_numbers = itertools.count(secrets.randbelow(90_000_000))


@pytest.fixture(scope="session")
def stack():
    with Stack(run_dir=ROOT / ".run" / "e2e", fresh=True) as running:
        yield running


@pytest.fixture(scope="session")
def env(stack):
    return stack.variables()


@pytest.fixture(scope="session")
def auth(env):
    client = Auth(env["AUTH_GRPC"])
    yield client
    client.close()


@pytest.fixture
def phone():
    return new_phone()


def new_phone():
    return f"+49151{next(_numbers) % 100_000_000:08d}"


class Person:
    """Somebody with a phone, and what the service gave them."""

    def __init__(self, auth, fake, phone=None):
        self.auth, self.fake = auth, fake
        self.phone = phone or new_phone()
        self.texts = 0
        self.user_id = self.tokens = self.verification_id = None

    def sign_up(self, **fields):
        answer = self.auth.SignupWithPhoneNumber(phone_number=self.phone, **fields)
        return self._expect(answer)

    def start_log_in(self):
        return self._expect(self.auth.LoginWithPhoneNumber(phone_number=self.phone))

    def _expect(self, answer):
        self.texts += 1
        self.verification_id = answer.verification.verification_id
        return answer.verification

    def code(self):
        return code_on_phone(self.fake, self.phone, self.texts)

    def wrong_code(self, number=1):
        """The number-th of the wrong codes; a repeated guess is counted once, so others are needed."""
        right = self.code()
        return f"{(int(right) + number) % 10 ** len(right):0{len(right)}d}"

    def verify(self, code=None):
        return self._keep(self.auth.VerifyPhoneNumber(verification_id=self.verification_id, code=code or self.code()))

    def finish_log_in(self, code=None):
        return self._keep(self.auth.ValidatePhoneNumberLogin(verification_id=self.verification_id, code=code or self.code()))

    def _keep(self, answer):
        self.user_id, self.tokens = answer.user_id, answer.tokens
        return answer


@pytest.fixture
def person(auth, env):
    return Person(auth, env["TWILIO_FAKE"])


@pytest.fixture
def member(person):
    """A person with an active account and a session."""
    person.sign_up(first_name="Ada", last_name="Lovelace")
    person.verify()
    return person
