"""The image can be built from what is here: its lists are complete, its Dockerfile passes the linter, and
the script that installs packages works where there is no sudo. Building it needs a registry, so no test does."""
import fnmatch
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from deploy.dev.stack import ROOT
from tests.support.packages import libraries, listed, owners, with_dependencies

BINARIES = ("countersign-auth", "countersign-otp", "countersign-relay", "countersignctl")
DOCKERFILE = ROOT / "deploy/Dockerfile"


def strangers(binary, packages):
    """Libraries of the binary that the packages do not bring."""
    known = with_dependencies(packages)
    return {file for file, package in owners(libraries(ROOT / "build/release/bin" / binary)).items() if package not in known}


@pytest.mark.parametrize("binary", BINARIES)
def test_the_runtime_packages_bring_every_library(binary):
    assert not strangers(binary, listed("runtime.txt"))


def test_a_library_that_the_list_lacks_is_noticed():
    assert strangers("countersign-otp", listed("runtime.txt") - {"libcurl4"})


def test_no_runtime_package_is_left_from_something_older():
    # The authorities are read as a file, by libcurl and librdkafka; nothing links them.
    linked = set()
    for binary in BINARIES:
        linked |= set(owners(libraries(ROOT / "build/release/bin" / binary, direct=True)).values())
    assert listed("runtime.txt") - linked <= {"ca-certificates"}
    assert linked - listed("runtime.txt") <= {"libc6"}, "named, so that none is there by accident only"


def stage(name):
    """The lines of one stage of the Dockerfile, continued lines joined."""
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    return re.search(rf"^FROM \S+ AS {name}$(.*?)(?=^FROM |\Z)", text, re.M | re.S)[1]


def test_it_runs_as_a_user_of_its_own_and_installs_the_listed_packages():
    assert re.findall(r"^USER (.*)$", stage("run"), re.M) == ["10001:10001"]
    assert "/setup/debian.sh /setup/runtime.txt" in stage("run")
    assert "tools/setup/debian.sh deploy/packages/debian.txt" in stage("build")
    assert "apt-get" not in DOCKERFILE.read_text(), "packages are named in lists only"


def test_what_it_copies_is_there_and_in_the_build_context():
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    sources = re.findall(r"^COPY (?!--from)(.*) \S+$", stage("build"), re.M) + re.findall(r"source=([^,\s]+)", stage("run"))
    for source in " ".join(sources).split():
        assert (ROOT / source).exists(), source
        assert source == "." or not any(fnmatch.fnmatch(source, pattern) for pattern in ignored), source
    assert {".git", ".run", "build", ".env"} <= set(ignored), "secrets of a stack stay out"


def test_the_version_in_the_image_is_the_commit_of_its_sources(tmp_path):
    header = tmp_path / "commit.h"
    subprocess.run(["cmake", f"-DSOURCE={tmp_path}", f"-DOUT={header}", "-P", ROOT / "cmake/Commit.cmake"], check=True,
                   env={**os.environ, "COUNTERSIGN_COMMIT": "0123456789ab"})
    assert '"0123456789ab"' in header.read_text()


def hadolint(file):
    program = pathlib.Path(sys.prefix) / "bin/hadolint"
    if not program.exists():
        pytest.skip("hadolint has no package for this machine's architecture")
    return subprocess.run([program, "--no-color", file], capture_output=True, text=True, check=False)


def test_the_dockerfile_passes_the_linter():
    done = hadolint(DOCKERFILE)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_linter_finds_a_planted_fault(tmp_path):
    faulty = tmp_path / "Dockerfile"
    faulty.write_text(DOCKERFILE.read_text().replace("debian:12-slim", "debian"))
    assert "DL3006" in hadolint(faulty).stdout


def program(folder, name, text):
    (folder / name).write_text(f"#!/bin/bash\n{text}\n")
    (folder / name).chmod(0o755)


def test_packages_are_installed_by_root_without_sudo_and_with_lists_fetched_first(tmp_path):
    """As in the build of an image: root, no sudo, no package lists yet."""
    tools, log = tmp_path / "bin", tmp_path / "log"
    tools.mkdir()
    for name in ("bash", "sed", "xargs", "echo", "grep", "mkdir", "tee", "mktemp", "rm", "tail", "env", "cat", "touch"):
        (tools / name).symlink_to(shutil.which(name))
    program(tools, "id", "echo 0")
    program(tools, "dpkg-query", "exit 1")
    program(tools, "apt-get", f'echo "$@" >>{log}; [ "$1" = update ] && touch {tmp_path}/lists; [ -e {tmp_path}/lists ]')
    packages = tmp_path / "list"
    packages.write_text("# why\nlibfmt9\nlibpq5\n")
    done = subprocess.run([ROOT / "tools/setup/debian.sh", packages], env={"PATH": str(tools)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    install = "install -y --no-install-recommends libfmt9 libpq5"
    assert log.read_text().splitlines() == [install, "update", install]
    assert "sudo" not in done.stdout
