"""The official documents, a fake, and our real client on the way to it through a recorder."""
import json
import os
import pathlib
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

from tests.contract.openapi import FILES, Contract
from tests.contract.recorder import Recorder

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = ROOT / "build" / "release" / "bin"
ACCOUNT = "AC00000000000000000000000000000001"
TOKEN = "fake-auth-token"
SERVICES = {"signup": "VA00000000000000000000000000000001", "login": "VA00000000000000000000000000000002"}


@pytest.fixture(scope="session")
def documents():
    """The folder of the documents. CI must have it; elsewhere the tests are skipped without it."""
    contracts = os.environ.get("COUNTERSIGN_CONTRACTS")
    folder = pathlib.Path(contracts or "/nonexistent") / "twilio"
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        why = f"COUNTERSIGN_CONTRACTS must name a folder that holds {', '.join(f'twilio/{name}' for name in missing)}"
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
    return folder


@pytest.fixture(scope="session")
def contract(documents):
    return Contract(documents)


class Fake:
    """The fake as a process of its own."""

    def __init__(self, folder, options=()):
        port_file = folder / "twilio-fake.port"
        self._process = subprocess.Popen(
            [BINARIES / "twilio-fake", "--port-file", port_file, *options], stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while not port_file.exists() and time.monotonic() < end and self._process.poll() is None:
            time.sleep(0.005)
        self.url = f"http://127.0.0.1:{int(port_file.read_text(encoding='ascii'))}"
        port_file.unlink()

    def ask(self, path, body=None):
        request = urllib.request.Request(self.url + path, data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def fault(self, **rule):
        self.ask("/_fake/faults", rule)

    def reset(self):
        self.ask("/_fake/reset", {})

    def code(self, phone):
        return self.ask(f"/_fake/messages?to={urllib.parse.quote(phone, safe='')}")["messages"][-1]["code"]

    def stop(self):
        self._process.terminate()
        self._process.wait()


@pytest.fixture(scope="session")
def running_fake(tmp_path_factory):
    fake = Fake(tmp_path_factory.mktemp("fake"))
    yield fake
    fake.stop()


@pytest.fixture
def fake(running_fake):
    running_fake.reset()
    return running_fake


@pytest.fixture
def recorder(fake):
    with Recorder(fake.url) as running:
        yield running


class Client:
    """Our provider in a process of its own; every order waits for its outcome."""

    def __init__(self, folder, provider, verify_url, api_url, **settings):
        secret = folder / "secret"
        secret.touch(mode=0o600)
        secret.write_text(TOKEN, encoding="ascii")
        values = {"account_sid": ACCOUNT, "api_secret_file": secret, "from": "+15005550006",
                  "verify_services_signup": SERVICES["signup"], "verify_services_login": SERVICES["login"],
                  "verify_url": verify_url, "api_url": api_url, "allow_insecure_urls": "true", **settings}
        environment = {f"CONTRACT_TWILIO_{name.upper()}": str(value) for name, value in values.items()}
        self._process = subprocess.Popen(
            [BINARIES / "provider-driver"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **environment, "CONTRACT_PROVIDER": provider})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        assert self._process.wait() == 0

    def order(self, do, **fields):
        self._process.stdin.write(json.dumps({"do": do, **fields}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@pytest.fixture
def client(tmp_path, recorder):
    """Makes a client of a provider that reaches the fake through the recorder."""
    def make(provider, **settings):
        return Client(tmp_path, provider, recorder.url, recorder.url, **settings)

    return make


@pytest.fixture(scope="session")
def operations():
    """What our client may ever call."""
    listed = subprocess.run([BINARIES / "provider-driver", "--operations"], capture_output=True, text=True, check=True)
    return set(listed.stdout.split())
