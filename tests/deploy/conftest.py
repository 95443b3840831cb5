"""Stacks in folders of their own."""
import pytest

from deploy.dev.provision import STEPS
from deploy.dev.stack import ROOT, Stack
from tests.support.sandbox import Sandbox


@pytest.fixture
def sandbox_at():
    """Makes sandboxes by name; whatever happens, nothing of them is left."""
    made = []

    def make(name):
        made.append(Sandbox(ROOT / ".run" / "deploy" / name))
        return made[-1]

    yield make
    for sandbox in made:
        sandbox.clear()


@pytest.fixture
def sandbox(sandbox_at):
    return sandbox_at("one")


@pytest.fixture(scope="module")
def provisioned(request):
    """PostgreSQL, Kafka and the fake with everything the services need before they start; their own
    secrets too. Its run folder can stand in for /etc/countersign."""
    folder = ROOT / ".run" / "deploy" / request.module.__name__.rpartition(".")[2]
    with Stack(folder, ("postgres", "kafka", "twilio"), fresh=True) as stack:
        for step in STEPS.values():
            step(stack).run()
        for name in ("auth", "otp", "relay"):
            stack.server(name).secret_files()
        yield stack
    stack.remove()
