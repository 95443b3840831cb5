"""The programs of examples/ do what their page says, against the running stack."""
import subprocess
import sys

from deploy.dev.stack import ROOT
from tests.support.observe import wait_for


def example(program, *arguments):
    return subprocess.run([sys.executable, ROOT / "examples/python" / program, *arguments], capture_output=True, text=True,
                          timeout=60, check=False)


def test_somebody_signs_up_and_the_reader_sees_it_happen(env, phone):
    signed_up = example("sign_up.py", "--auth", env["AUTH_GRPC"], "--phone", phone, "--fake", env["TWILIO_FAKE"])
    assert signed_up.returncode == 0, signed_up.stderr
    assert "refreshed once and logged out" in signed_up.stdout
    user = next(line.split()[-1] for line in signed_up.stdout.splitlines() if line.startswith("welcome, user"))

    def seen():
        read = example("read_auth_log.py", "--brokers", env["KAFKA_BROKERS"])
        assert read.returncode == 0, read.stderr
        return [line.split()[1] for line in read.stdout.splitlines() if line.endswith(user)]

    wait_for(lambda: len(seen()) == 4, "the four events of that person")
    assert seen() == ["user.verified", "session.logged_in", "session.refreshed", "session.logged_out"]


def test_a_refusal_is_told_by_its_reason_and_its_wait(env, phone):
    arguments = ("sign_up.py", "--auth", env["AUTH_GRPC"], "--phone", phone, "--fake", env["TWILIO_FAKE"])
    assert example(*arguments[:5]).returncode != 0, "without the fake nobody types a code"
    again = example(*arguments)
    assert again.returncode == 1
    assert "refused: RESEND_TOO_SOON, try again in " in again.stderr
