"""The targets that no other suite and no CI run calls do what `make help` says of them, in a copy of
this checkout that shares its builds."""
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

from deploy.dev.stack import ROOT, Stack
from tests.support.sandbox import Sandbox

# Called by CI itself, or of no other use than a long time.
ELSEWHERE = {"test", "test-full", "check", "build-asan", "build-debug", "bench", "bench-debezium", "chaos-relay", "release"}
MAKE_FAILED = 2


class Copy:
    """What git knows of this checkout, with a .run of its own."""

    def __init__(self, folder):
        shutil.rmtree(folder, ignore_errors=True)
        self.folder = folder
        self.sandbox = Sandbox(folder / ".run")
        for name in subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
            if name and (ROOT / name).exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        (folder / "build").symlink_to(ROOT / "build")
        for command in (["git", "init", "-q"], ["git", "add", "-A"]):
            subprocess.run(command, cwd=folder, check=True)

    def environment(self):
        # As a person's shell has it: not that of the make that runs this test.
        return {name: text for name, text in self.sandbox.environment().items()
                if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHONPATH")}

    def start(self, target, *words):
        return subprocess.Popen(["make", target, *words], cwd=self.folder, env=self.environment(), text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)

    def make(self, target, *words, code=0):
        """What the target prints; make must end with that exit code."""
        running = self.start(target, *words)
        try:
            out, _ = running.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            raise
        assert running.returncode == code, f"make {target}: {out}"
        return out

    def shell(self, line):
        return subprocess.run(["bash", "-c", line], cwd=self.folder, env=self.environment(), capture_output=True, text=True,
                              check=True).stdout

    def remove(self):
        for run_dir in (self.folder / ".run/test-deps", self.folder / ".run/demo", self.folder / ".run"):
            if run_dir.exists():
                Stack(run_dir).stop()
                Stack(run_dir).remove()
        shutil.rmtree(self.folder)


@pytest.fixture(scope="module")
def copy():
    made = Copy(ROOT / ".run" / "deploy" / "make")
    yield made
    made.remove()


def targets():
    return set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.M))


def test_help_lists_every_target(copy):
    listed = set(re.findall(r"^  ([a-z-]+) ", copy.make("help"), re.M))
    assert listed == targets() > ELSEWHERE


def test_fmt_formats_a_source_in_place(copy):
    file = copy.folder / "libs/core/lsn.h"
    formatted = file.read_text()
    file.write_text(formatted.replace("  ", "     "))
    copy.make("fmt")
    assert file.read_text() == formatted


def test_what_is_generated_is_up_to_date(copy):
    copy.make("setup")
    copy.make("gen-pb")
    copy.make("docs")
    for page in ("docs/errors.md", "docs/configuration.md"):
        assert (copy.folder / page).read_text() == (ROOT / page).read_text()


def test_build_and_install(copy):
    copy.make("build")
    copy.make("install", f"PREFIX={copy.folder / 'installed'}")
    assert "countersign-auth " in copy.shell("installed/bin/countersign-auth --version")


def test_the_demo_tells_its_story(copy):
    assert "verif" in copy.make("demo")
    assert not copy.sandbox.left_after()


def test_a_stack_is_operated_by_make(copy):
    printed = copy.make("up")
    assert copy.make("run") == printed, "it is there already"
    assert "pending" not in copy.make("migrate-status")
    copy.make("migrate-down")
    assert "pending" in copy.make("migrate-status", code=MAKE_FAILED), "so that a script can ask"
    copy.make("migrate-up")
    assert "pending" not in copy.make("migrate-status")
    copy.make("kafka-topics")
    copy.shell("""source .run/env && build/release/bin/countersignctl call SignupWithPhoneNumber '{"phoneNumber": "+4915112345678"}'""")
    assert "user.created" in first_line(copy.start("kafka-consume", "TOPIC=user.created"))
    assert re.search(r"\d", copy.make("outbox-status"))
    copy.make("down")
    assert not copy.sandbox.left_after()


def first_line(running):
    """Of a program that goes on until Ctrl-C."""
    try:
        line = running.stdout.readline()
        os.killpg(running.pid, signal.SIGINT)
        running.communicate(timeout=10)
        return line
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            running.communicate()


def test_servers_for_tests_by_hand(copy):
    copy.make("test-deps-up")
    address = copy.shell("source .run/test-deps/env && echo $COUNTERSIGN_TEST_KAFKA && psql -Atc 'SELECT 1' \"$COUNTERSIGN_TEST_DATABASE\"")
    assert re.fullmatch(r"127\.0\.0\.1:\d+\n1\n", address)
    copy.make("test-deps-down")
    assert not copy.sandbox.left_after()


def test_the_targets_for_docker_say_when_it_does_not_answer(copy):
    """Whatever this machine has: a docker without a daemon. What they do with one: compose_test.py."""
    folder = copy.folder / "no-daemon"
    folder.mkdir()
    (folder / "docker").write_text("#!/bin/sh\nexit 1\n")
    (folder / "docker").chmod(0o755)
    path = f"PATH={folder}:{os.environ['PATH']}"
    said = [copy.make("img", path, code=MAKE_FAILED), copy.make("compose-up", path, code=MAKE_FAILED),
            copy.make("compose-down", path, code=MAKE_FAILED)]
    assert all("the docker daemon does not answer" in out for out in said)


def test_clean_leaves_what_git_knows(copy):
    copy.make("test-deps-up")
    copy.make("clean")
    assert not copy.sandbox.left_after()
    assert not (copy.folder / ".run").exists() and not (copy.folder / "build").exists()
    assert (ROOT / "build/release/bin").exists(), "only a link to it was removed"


def test_every_target_is_called_here_or_elsewhere():
    called = set(re.findall(r'copy\.(?:make|start)\("([a-z-]+)"', pathlib.Path(__file__).read_text()))
    assert targets() == called | ELSEWHERE
