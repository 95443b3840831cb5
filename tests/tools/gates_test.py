"""The gates of `make check` are tested with planted faults: a gate that cannot fail proves nothing."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def layers(root):
    return subprocess.run([sys.executable, ROOT / "tools/checks/layers.py", "--root", root],
                          capture_output=True, text=True, check=False)


def plant(root, path, text):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize("path, line", [
    ("services/auth/domain/ladder.cc", "#include <pqxx/pqxx>"),
    ("services/auth/domain/ladder.cc", '#include "libs/pg/connection.h"'),
    ("services/auth/domain/ladder.cc", '#include "services/auth/flows/signup.h"'),
    ("services/auth/flows/signup.cc", "#include <grpcpp/grpcpp.h>"),
    ("services/auth/flows/signup.cc", '#include "countersign/auth/v1/auth.grpc.pb.h"'),
    ("services/auth/flows/signup.cc", '#include "services/auth/rpc/auth_service.h"'),
    ("services/auth/flows/signup.cc", '#include "services/otp/domain/challenge.h"'),
    ("services/otp/store/challenges.cc", '#include "libs/kafka/producer.h"'),
    ("libs/core/clock.cc", '#include "libs/pg/connection.h"'),
    ("libs/log/log.cc", "#include <openssl/evp.h>"),
    ("libs/pg/pool.cc", '#include "services/auth/app.h"'),
])
def test_an_include_across_a_layer_is_refused(tmp_path, path, line):
    plant(tmp_path, path, f"{line}\n")
    result = layers(tmp_path)
    assert result.returncode == 1, result.stdout
    assert f"{path}:1:" in result.stdout


def test_includes_within_the_layers_pass(tmp_path):
    plant(tmp_path, "services/auth/flows/signup.cc",
          '#include "libs/pg/batcher.h"\n#include "services/auth/domain/ladder.h"\n')
    plant(tmp_path, "libs/pg/connection.cc", "#include <pqxx/pqxx>\n")
    result = layers(tmp_path)
    assert result.returncode == 0, result.stdout


def test_a_file_over_its_size_is_refused(tmp_path):
    plant(tmp_path, "libs/core/long.cc", "\n" * 401)
    assert "libs/core/long.cc:401" in layers(tmp_path).stdout


@pytest.fixture
def api_copy():
    # Inside the checkout, since buf refuses modules outside of its working directory.
    folder = ROOT / ".run" / "gate-test-api"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "api", folder)
    yield folder
    shutil.rmtree(folder)


def proto_gate(folder):
    return subprocess.run([ROOT / "tools/checks/proto.sh", "--root", folder], capture_output=True, text=True, check=False)


def test_the_proto_gate_passes_an_unchanged_api(api_copy):
    result = proto_gate(api_copy)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_proto_gate_refuses_a_deleted_field(api_copy):
    proto = api_copy / "countersign/events/v1/events.proto"
    lines = [line for line in proto.read_text().splitlines() if "string challenge_id = 2;" not in line]
    proto.write_text("\n".join(lines))
    result = proto_gate(api_copy)
    assert result.returncode != 0
    assert "Previously present field" in result.stdout + result.stderr


def test_the_proto_gate_refuses_an_uncommented_field(api_copy):
    proto = api_copy / "countersign/otp/v1/otp.proto"
    proto.write_text(proto.read_text().replace("  // The outcome.\n", ""))
    assert proto_gate(api_copy).returncode != 0


@pytest.fixture
def tidy_tree(tmp_path):
    shutil.copy(ROOT / ".clang-tidy", tmp_path)
    plant(tmp_path, "libs/core/sample.cc", "namespace countersign {\nint SampleValue() { return 0; }\n}\n")
    plant(tmp_path, "build/compile_commands.json", json.dumps([{
        "directory": str(tmp_path), "file": str(tmp_path / "libs/core/sample.cc"),
        "command": "/usr/bin/g++ -std=c++20 -o sample.o -c libs/core/sample.cc"}]))
    return tmp_path


def tidy(root):
    return subprocess.run([sys.executable, ROOT / "tools/checks/tidy.py", "--root", root, "--build", "build"],
                          env={**os.environ, "XDG_CACHE_HOME": str(root / "cache")}, capture_output=True, text=True, check=False)


def test_clang_tidy_finds_a_planted_fault_and_its_cache_does_not_hide_it(tidy_tree):
    assert tidy(tidy_tree).returncode == 0
    assert "1 known clean" in tidy(tidy_tree).stdout
    source = tidy_tree / "libs/core/sample.cc"
    source.write_text(source.read_text().replace("SampleValue", "sample_value"))
    result = tidy(tidy_tree)
    assert result.returncode == 1
    assert "readability-identifier-naming" in result.stdout
    assert tidy(tidy_tree).returncode == 1, "a finding must not be remembered as clean"
