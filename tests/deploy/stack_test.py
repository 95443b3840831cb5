"""The development stack keeps its promises to whoever types `make up`."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from deploy.dev.stack import ROOT, Stack, StackError
from tests.support.observe import wait_for

EMBEDDING = """
import sys, time
from deploy.dev.stack import Stack
with Stack(run_dir=sys.argv[1]) as stack:
    print("serving", flush=True)
    time.sleep(600)
"""


def mode(path):
    return pathlib.Path(path).stat().st_mode & 0o777


def test_a_second_up_is_harmless_and_down_leaves_nothing(sandbox):
    first = sandbox.run("up")
    assert first.returncode == 0, first.stderr
    before, variables = sandbox.processes(), sandbox.variables()
    second = sandbox.run("up")
    assert (second.returncode, second.stdout) == (0, first.stdout)
    assert sandbox.processes().keys() == before.keys(), "nothing was started, nothing stopped"
    assert sandbox.variables() == variables
    assert sandbox.run("status").returncode == 0
    down = sandbox.run("down")
    assert (down.returncode, down.stdout) == (0, ""), down.stderr
    assert not sandbox.left_after()
    assert sandbox.run("status").returncode == 3
    assert sandbox.run("down").returncode == 0, "nothing to stop is no fault"


def test_after_down_the_stack_comes_back_with_what_it_held(sandbox):
    only = ("postgres", "twilio")
    with Stack(sandbox.folder, only) as stack:
        stack.part("postgres").query("CREATE TABLE public.kept (v text); INSERT INTO public.kept VALUES ('still here')")
        before = stack.variables()
    with Stack(sandbox.folder, only) as stack:
        assert stack.part("postgres").query("SELECT v FROM public.kept") == [["still here"]]
        assert stack.variables() == before, "also at the same addresses"
    with Stack(sandbox.folder, only, fresh=True) as stack:
        assert stack.part("postgres").query("SELECT to_regclass('public.kept') IS NULL") == [["t"]]


def test_up_prints_endpoints_without_passwords_and_three_calls_of_which_the_first_works(sandbox):
    up = sandbox.run("up")
    assert up.returncode == 0, up.stderr
    variables = sandbox.variables()
    assert {"AUTH_GRPC", "OTP_GRPC", "DATABASE_URL", "KAFKA_BROKERS", "TWILIO_FAKE", "AUTH_METRICS", "OTP_METRICS",
            "RELAY_METRICS", "TLS_DIR", "KEYS_DIR"} <= variables.keys()
    for name in variables:
        assert name in up.stdout
    assert not [secret for secret in (sandbox.folder / "secrets").iterdir() if secret.read_text().strip() in up.stdout + up.stderr]
    calls = [line.strip() for line in up.stdout.splitlines() if " call " in line]
    assert len(calls) == 3
    tried = subprocess.run(["bash", "-c", f"source {sandbox.folder}/env && {calls[0]}"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert tried.returncode == 0, tried.stderr
    assert "verificationId" in tried.stdout
    curl = next(line.strip() for line in up.stdout.splitlines() if "curl " in line)
    shown = wait_for(lambda: json.loads(subprocess.run(
        ["bash", "-c", f"source {sandbox.folder}/env && {curl}"], capture_output=True, text=True, check=True).stdout)["messages"],
        "the code on the phone")
    assert shown[0]["code"].isdigit()


def test_what_holds_secrets_is_for_its_owner_only(sandbox):
    with Stack(sandbox.folder) as stack:
        private = [stack.run_dir / "env", *(stack.run_dir / "config").iterdir(), *(stack.run_dir / "secrets").iterdir(),
                   *stack.keys_dir.rglob("*.key"), *stack.keys_dir.rglob("*.pem"), *stack.tls_dir.glob("*.key"),
                   *(stack.run_dir / "logs").iterdir()]
        assert len(private) > 20
        assert not [str(file) for file in private if mode(file) != 0o600]
        arguments = " ".join(pathlib.Path(f"/proc/{part.pid}/cmdline").read_text() for part in stack.parts.values())
        for role in ("postgres", "countersign_auth", "countersign_otp", "countersign_relay"):
            assert stack.secrets.get(f"{role}.password") not in arguments


def test_two_stacks_run_side_by_side(sandbox_at):
    left, right = sandbox_at("left"), sandbox_at("right")
    starting = [subprocess.Popen(one.command("up"), cwd=ROOT, env=one.environment(), stdout=subprocess.DEVNULL) for one in (left, right)]
    assert [process.wait(120) for process in starting] == [0, 0]
    ours, theirs = left.variables(), right.variables()
    shared = {name for name in ours if ours[name] == theirs[name]}
    assert not shared, "every address is a stack's own"
    assert left.run("down").returncode == 0
    assert not left.left_after()
    assert right.run("status").returncode == 0, "the other one does not notice"


def test_a_crash_at_the_start_names_the_part_shows_its_last_words_and_leaves_nothing(sandbox):
    with pytest.raises(StackError) as failure:
        Stack(sandbox.folder, settings={"relay": {"slot": ""}}).start()
    text = str(failure.value)
    assert text.startswith("relay did not start (exit code 78)")
    assert "slot: required" in text
    assert not [part.name for part in Stack(sandbox.folder).parts.values() if part.running()]


def test_the_last_words_are_those_of_this_start(sandbox):
    for fault in ("--no-such-thing", "--nor-this"):
        with pytest.raises(StackError, match=f"unknown option {fault}") as failure:
            Stack(sandbox.folder, ("twilio",), settings={"twilio": {fault[2:]: 1}}).start()
    assert "--no-such-thing" not in str(failure.value)


def test_a_failed_start_leaves_running_what_ran_before(sandbox):
    with Stack(sandbox.folder, ("postgres", "kafka", "twilio")) as stack:
        with pytest.raises(StackError, match="relay did not start"):
            Stack(sandbox.folder, settings={"relay": {"slot": ""}}).start()
        assert all(part.running() for part in stack.parts.values())


def test_a_part_that_crashed_is_called_so_and_up_brings_it_back(sandbox):
    assert sandbox.run("up", "--only", "postgres,kafka,relay").returncode == 0
    stack = Stack(sandbox.folder)
    dead = stack.part("relay").pid
    os.kill(dead, signal.SIGKILL)
    wait_for(lambda: not stack.part("relay").running(), "the relay to be gone")
    status = sandbox.run("status", "--only", "relay")
    assert (status.returncode, status.stdout.split()) == (3, ["relay", "crashed"])
    assert sandbox.run("up", "--only", "postgres,kafka,relay").returncode == 0
    assert stack.part("relay").running() and stack.part("relay").pid != dead


def test_a_service_alone_says_which_server_it_lacks(sandbox):
    with pytest.raises(StackError, match="relay needs postgres, which does not run"):
        Stack(sandbox.folder, ("relay",)).start()


@pytest.mark.parametrize("after", [0.3, 2.0, 4.5])
def test_an_interrupted_up_leaves_nothing(sandbox, after):
    up = subprocess.Popen(sandbox.command("up"), cwd=ROOT, env=sandbox.environment(), stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, start_new_session=True)
    time.sleep(after)   # somewhere in the start; which place does not matter
    os.killpg(up.pid, signal.SIGINT)
    _, said = up.communicate(timeout=60)
    assert up.returncode in (130, -signal.SIGINT), said
    assert not sandbox.left_after()


def test_kill_9_of_the_program_that_embeds_a_stack_leaves_nothing(sandbox):
    program = subprocess.Popen([sys.executable, "-c", EMBEDDING, str(sandbox.folder)], cwd=ROOT, env=sandbox.environment(),
                               stdout=subprocess.PIPE, text=True)
    assert program.stdout.readline() == "serving\n"
    assert len(sandbox.processes()) > 6
    program.kill()
    program.wait()
    program.stdout.close()
    assert not sandbox.left_after()


def test_in_the_foreground_it_stays_until_it_is_told_to_stop(sandbox):
    up = subprocess.Popen(sandbox.command("up", "--foreground", "--only", "twilio"), cwd=ROOT, env=sandbox.environment(),
                          stdout=subprocess.PIPE, text=True)
    wait_for(lambda: sandbox.run("status", "--only", "twilio").returncode == 0, "the fake to serve")
    assert up.poll() is None
    up.send_signal(signal.SIGTERM)
    up.communicate(timeout=20)
    assert up.returncode == 0
    assert not sandbox.left_after()
