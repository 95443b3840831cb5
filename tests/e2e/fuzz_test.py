"""Requests mutated field by field against an auth built with the sanitizers: no crash, no INTERNAL."""
import json
import pathlib
import secrets
import subprocess

import pytest

from deploy.dev.stack import Stack
from tests.e2e.conftest import Person
from tests.support.api import Auth

ROOT = pathlib.Path(__file__).resolve().parents[2]
FUZZER = ROOT / "build/release/bin/countersign-fuzz"


@pytest.fixture(scope="module")
def sanitized():
    with Stack(run_dir=ROOT / ".run" / "fuzz", fresh=True, build="asan") as running:
        yield running


def write_tokens(env, file):
    auth = Auth(env["AUTH_GRPC"])
    lines = []
    for _ in range(5):
        person = Person(auth, env["TWILIO_FAKE"])
        person.sign_up()
        person.verify()
        lines += [person.tokens.access_token, person.tokens.refresh_token]
    auth.close()
    file.write_text("\n".join(lines) + "\n")
    file.chmod(0o600)


def test_a_hundred_thousand_mutated_requests_crash_nothing(sanitized, tmp_path, capsys):
    env = sanitized.variables()
    tokens = tmp_path / "tokens"
    write_tokens(env, tokens)
    seed = secrets.randbelow(1 << 31)
    # Shown whether the test passes or not: what a green run covered is part of its result.
    with capsys.disabled():
        print(f"\nfuzz: seed {seed}")
    result = subprocess.run([FUZZER, "--target", env["AUTH_GRPC"], "--tokens", tokens, "--seed", str(seed), "--requests", "100000"],
                            capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads(result.stdout)
    with capsys.disabled():
        print(f"fuzz: {report['requests']} requests, {report['in_a_flow']} of them ({report['reached_a_flow']:.0%}) reached a flow")
    assert report["reached_a_flow"] >= 0.3
    assert sanitized.part("auth").running()
    assert "AddressSanitizer" not in sanitized.part("auth").log.read_text(errors="replace")
