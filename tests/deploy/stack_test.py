"""The development stack keeps its promises to whoever types `make up`."""
import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from deploy.dev.stack import ROOT, Stack, StackError
from tests.support.observe import wait_for
from tests.support.sandbox import Sandbox

EMBEDDING = """
import sys, time
from deploy.dev.stack import Stack
with Stack(run_dir=sys.argv[1]) as stack:
    print("serving", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def whole():
    """A whole stack that `up` has started, and what that printed."""
    sandbox = Sandbox(ROOT / ".run" / "deploy" / "whole")
    up = sandbox.run("up")
    assert up.returncode == 0, up.stderr
    yield sandbox, up.stdout
    sandbox.clear()


def test_a_second_up_is_harmless(whole):
    sandbox, printed = whole
    before, variables = sandbox.processes(), sandbox.variables()
    second = sandbox.run("up")
    assert (second.returncode, second.stdout) == (0, printed)
    assert sandbox.processes().keys() == before.keys(), "nothing was started, nothing stopped"
    assert sandbox.variables() == variables
    assert sandbox.run("status").returncode == 0


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


def test_up_prints_endpoints_without_passwords(whole):
    sandbox, printed = whole
    variables = sandbox.variables()
    assert {"AUTH_GRPC", "OTP_GRPC", "DATABASE_URL", "KAFKA_BROKERS", "TWILIO_FAKE", "AUTH_METRICS", "OTP_METRICS",
            "RELAY_METRICS", "TLS_DIR", "KEYS_DIR"} <= variables.keys()
    for name in variables:
        assert name in printed
    assert not [secret for secret in (sandbox.folder / "secrets").iterdir() if secret.read_text().strip() in printed]


def test_up_prints_three_calls_to_try_of_which_the_first_works_and_where_the_code_is_seen(whole):
    sandbox, printed = whole
    calls = [line.strip() for line in printed.splitlines() if " call " in line]
    assert len(calls) == 3
    tried = in_shell(sandbox, calls[0])
    assert "verificationId" in tried
    curl = next(line.strip() for line in printed.splitlines() if "curl " in line)
    shown = wait_for(lambda: json.loads(in_shell(sandbox, curl))["messages"], "the code on the phone")
    assert shown[0]["code"].isdigit()


def in_shell(sandbox, line):
    """What a person gets who types the line after sourcing the env file."""
    return subprocess.run(["bash", "-c", f"source {sandbox.folder}/env && {line}"], cwd=ROOT, capture_output=True, text=True,
                          check=True).stdout


def test_what_holds_secrets_is_for_its_owner_only(whole):
    sandbox, _ = whole
    stack = Stack(sandbox.folder)
    private = [stack.run_dir / "env", *(stack.run_dir / "config").iterdir(), *(stack.run_dir / "secrets").iterdir(),
               *stack.keys_dir.rglob("*.key"), *stack.keys_dir.rglob("*.pem"), *stack.tls_dir.glob("*.key"),
               *(stack.run_dir / "logs").iterdir()]
    assert len(private) > 20
    assert not [str(file) for file in private if file.stat().st_mode & 0o777 != 0o600]
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
    down = left.run("down")
    assert (down.returncode, down.stdout) == (0, ""), down.stderr
    assert not left.left_after()
    assert left.run("status").returncode == 3
    assert left.run("down").returncode == 0, "nothing to stop is no fault"
    assert right.run("status").returncode == 0, "the other one does not notice"


BROKEN = {"auth": {"codes.life": "1h"}}   # a code may live for ten minutes at most


def test_a_crash_at_the_start_names_the_part_shows_its_last_words_and_leaves_nothing(sandbox):
    with pytest.raises(StackError) as failure:
        Stack(sandbox.folder, ("postgres", "twilio", "auth"), settings=BROKEN).start()
    text = str(failure.value)
    assert text.startswith("auth did not start (exit code 78)")
    assert "codes.life: at most 10m is expected" in text
    assert not [part.name for part in Stack(sandbox.folder).parts.values() if part.running()]


def test_the_last_words_are_those_of_this_start(sandbox):
    for fault in ("--no-such-thing", "--nor-this"):
        with pytest.raises(StackError, match=f"unknown option {fault}") as failure:
            Stack(sandbox.folder, ("twilio",), settings={"twilio": {fault[2:]: 1}}).start()
    assert "--no-such-thing" not in str(failure.value)


def test_a_failed_start_leaves_running_what_ran_before(sandbox):
    with Stack(sandbox.folder, ("postgres", "twilio")) as stack:
        with pytest.raises(StackError, match="auth did not start"):
            Stack(sandbox.folder, ("postgres", "twilio", "auth"), settings=BROKEN).start()
        assert all(part.running() for part in stack.parts.values())


def test_a_part_that_crashed_is_called_so_and_up_brings_it_back(sandbox):
    only = ("--only", "postgres,auth")
    assert sandbox.run("up", *only).returncode == 0
    stack = Stack(sandbox.folder)
    dead = stack.part("auth").pid
    os.kill(dead, signal.SIGKILL)
    wait_for(lambda: not stack.part("auth").running(), "auth to be gone")
    status = sandbox.run("status", "--only", "auth")
    assert (status.returncode, status.stdout.split()) == (3, ["auth", "crashed"])
    assert sandbox.run("up", *only).returncode == 0
    assert stack.part("auth").running() and stack.part("auth").pid != dead


def test_a_service_alone_says_which_server_it_lacks(sandbox):
    with pytest.raises(StackError, match="relay needs postgres, which does not run"):
        Stack(sandbox.folder, ("relay",)).start()


@pytest.mark.parametrize("under_way", ["secrets", "pids/postgres.json", "pids/kafka.json", "pids/otp.json"])
def test_an_interrupted_up_leaves_nothing(sandbox, under_way):
    up = subprocess.Popen(sandbox.command("up"), cwd=ROOT, env=sandbox.environment(), stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for((sandbox.folder / under_way).exists, f"{under_way} to be there", every=0.005)
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
    assert up.stdout.readline().startswith("TWILIO_FAKE"), "it says where everything is once all serves"
    assert sandbox.run("status", "--only", "twilio").returncode == 0
    assert up.poll() is None
    up.send_signal(signal.SIGTERM)
    up.communicate(timeout=20)
    assert up.returncode == 0
    assert not sandbox.left_after()
