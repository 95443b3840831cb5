"""deploy/compose.yaml keeps its rules, names only what exists, and deploy/compose.sh takes its steps in order.
compose_run_test.py runs what it describes."""
import http.server
import json
import os
import re
import shutil
import subprocess
import threading

import pytest
from yamllint import linter
from yamllint.config import YamlLintConfig

from deploy.dev.stack import ROOT
from tests.support.compose import FILE, load, mounts

BIN = ROOT / "build/release/bin"
JOBS = {"secrets", "migrate", "roles", "topics", "keys", "ctl"}
SERVICES = load()["services"]
PARTS = {"auth": "auth", "otp": "otp", "relay-1": "relay", "relay-2": "relay"}
LINT = """
extends: default
rules: {line-length: {max: 140}, document-start: disable, braces: disable, brackets: disable}
"""


def test_the_linter_finds_nothing():
    assert not [str(problem) for problem in linter.run(FILE.read_text(), YamlLintConfig(LINT))]


def test_compose_itself_accepts_it():
    """Where docker has its compose plugin; it needs no daemon for that."""
    if not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")
    done = subprocess.run(["docker", "compose", "--file", FILE, "config", "--quiet"], capture_output=True, text=True, check=False,
                          env={**os.environ, "COUNTERSIGN_VERSION": "0.0.0"})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_container_is_confined(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert not {"privileged", "pid", "ipc", "devices", "userns_mode"} & set(service)
    assert service.get("network_mode") in (None, "none", "service:kafka")
    if name == "secrets":
        assert set(service["cap_add"]) == {"CHOWN", "DAC_OVERRIDE", "FOWNER"} and service["network_mode"] == "none"
    else:
        assert "cap_add" not in service and int(service["user"].split(":")[0]) > 0


@pytest.mark.parametrize("name", sorted(set(SERVICES) - JOBS))
def test_what_goes_on_is_restarted_and_watched(name):
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert "healthcheck" in SERVICES[name] or name in ("keys-daily", "log-daily")
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:"), "published on this host only"


def test_dependencies_volumes_and_files_exist():
    volumes = set(load()["volumes"])
    used = set()
    for service in SERVICES.values():
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] == "service_completed_successfully" if other in JOBS else "healthcheck" in SERVICES[other]
        for source, _, read_only in mounts(service):
            if source.startswith("./"):
                assert (FILE.parent / source).is_file() and read_only
            elif not source.startswith("/"):
                used.add(source)
    assert used == volumes


def test_secrets_are_written_by_their_jobs_only():
    for name, service in SERVICES.items():
        for source, _, read_only in mounts(service):
            if source.startswith("secrets-"):
                assert read_only != (name == "secrets"), name
            if source.startswith("keys-"):
                assert read_only != (name in ("keys", "keys-daily")), name


def test_no_secret_is_in_the_file():
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert not re.search(r"PASSWORD|SECRET|TOKEN$", name) or str(value).startswith("/run/"), name
            assert "password=" not in str(value)


@pytest.mark.parametrize("name", sorted(PARTS))
def test_every_variable_of_a_process_is_one_that_it_reads(name):
    out = subprocess.run([BIN / f"countersign-{PARTS[name]}", "--print-config-keys"], capture_output=True, text=True, check=True).stdout
    keys = [json.loads(line) for line in out.splitlines()]
    known = {f"{key['env']}_FILE" if key["type"] == "secret" else key["env"] for key in keys} | {"HEALTH_PORT"}
    assert set(SERVICES[name]["environment"]) <= known
    required = {f"{key['env']}_FILE" if key["type"] == "secret" else key["env"] for key in keys if key["required"]}
    defaults = {key["env"] for key in keys if key["default"]}
    assert required - defaults <= set(SERVICES[name]["environment"])


def test_the_provider_is_chosen_by_variables():
    assert SERVICES["otp"]["environment"]["OTP_PROVIDER"] == "log"
    chosen = load({"OTP_PROVIDER": "twilio-verify", "TWILIO_API_SECRET_FILE": "/root/secret"})["services"]
    assert chosen["otp"]["environment"]["OTP_PROVIDER"] == "twilio-verify"
    assert mounts(chosen["secrets"])[1] == ("/root/secret", "/run/host/twilio.api_secret", True)


def test_a_missing_version_is_refused():
    with pytest.raises(KeyError, match="COUNTERSIGN_VERSION"):
        load({"COUNTERSIGN_VERSION": ""})


def test_kafka_is_the_version_that_the_tests_run():
    pom = (ROOT / "deploy/packages/maven/pom.xml").read_text()
    assert SERVICES["kafka"]["image"] == "apache/kafka:" + re.search(r"<kafka.version>(.*)</kafka.version>", pom)[1]


def test_postgresql_logs_nothing_that_statements_carry():
    """All that docs/operations.md demands of the server."""
    command = SERVICES["postgres"]["command"]
    settings = dict(word.split("=", 1) for word in command if "=" in word)
    demanded = re.findall(r"`((?:log_|wal_level)\w*) ?= ?(\S+)`", (ROOT / "docs/operations.md").read_text())
    assert len(demanded) == 6
    assert {name: settings.get(name) for name, _ in demanded} == dict(demanded)
    assert "max_slot_wal_keep_size" in settings


# deploy/compose.sh, with a docker that writes down what it is asked.
DOCKER = """#!/bin/bash
[ "$1 $2" != "compose --file" ] || { shift 3; set -- compose "$@"; }
echo "$COUNTERSIGN_VERSION $*" >>"$DOCKER_LOG"
case "$*" in
  info | "compose version" | "image inspect"*) ;;
  "compose ps --quiet auth") [ -z "$DOCKER_RUNNING" ] || echo 0123 ;;
  inspect*) [ -n "$DOCKER_RUNNING" ] && echo "countersign:$DOCKER_RUNNING" ;;
  *" -T secrets") echo -n "$DOCKER_MADE" ;;
  *" -T $DOCKER_FAILS") exit 1 ;;
esac
"""


class Script:
    def __init__(self, folder):
        self.folder = folder
        (folder / "docker").write_text(DOCKER)
        (folder / "docker").chmod(0o755)

    def run(self, *words, code=0, version="0.2.0", running="", made="", fails="-", relay="9"):
        """What it did with containers, in short, and what it said."""
        log = self.folder / "log"
        log.unlink(missing_ok=True)
        done = subprocess.run([ROOT / "deploy/compose.sh", *words], capture_output=True, text=True, check=False, env={
            **os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}", "DOCKER_LOG": str(log), "DOCKER_RUNNING": running,
            "DOCKER_MADE": made, "DOCKER_FAILS": fails, "COUNTERSIGN_VERSION": version, "COUNTERSIGN_FIRST_RELAY": relay})
        assert done.returncode == code, done.stdout + done.stderr
        lines = log.read_text().splitlines()
        assert all(line.startswith(version + " ") for line in lines)
        steps = [re.sub(r"--\S+ \d+ |(?<= )-\S+ ", "", line.removeprefix(f"{version} compose ") + " ").strip() for line in lines
                 if re.search(r" compose (run|up|down) ", line + " ")]
        self.lines = lines
        return steps, done.stdout + done.stderr


@pytest.fixture
def script(tmp_path):
    return Script(tmp_path)


BEFORE = ["run secrets", "up postgres kafka", "run migrate", "run roles", "run topics", "run keys"]
RELAYS = ["up relay-1", "up relay-2"]
DAILY = ["up log-daily", "up keys-daily"]


@pytest.mark.parametrize("running, order", [
    ("", [*RELAYS, "up otp", "up auth"]),
    ("0.1.0", ["up otp", "up auth", *RELAYS]),
    ("0.2.0", ["up otp", "up auth", *RELAYS]),
    ("0.10.0", [*RELAYS, "up auth", "up otp"]),
])
def test_a_rollout_takes_its_steps_in_order(script, running, order):
    steps, said = script.run("up", running=running)
    assert steps == [*BEFORE, *order, *DAILY]
    assert "countersign 0.2.0 serves" in said
    ups = [line for line in script.lines if " compose up " in line]
    assert all("--wait" in line and "--no-deps" in line and "--force-recreate" not in line for line in ups)


class LeadingRelay(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"# TYPE relay_leader gauge\nrelay_leader 1\n" + b"# filler\n" * 10_000)

    def log_message(self, *_):
        pass


def test_the_leading_relay_comes_last(script):
    with http.server.HTTPServer(("127.0.0.1", 0), LeadingRelay) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        steps, _ = script.run("up", running="0.1.0", relay=str(server.server_port))
        server.shutdown()
    assert steps[-4:] == ["up relay-2", "up relay-1", *DAILY]


def test_new_certificates_replace_every_container(script):
    script.run("up", running="0.2.0", made="certificates made")
    ups = [line for line in script.lines if " compose up " in line]
    assert [line for line in ups if "--force-recreate" not in line] == ups[-1:], "all but the one without certificates"


@pytest.mark.parametrize("job", ["migrate", "roles", "topics", "keys"])
def test_a_failed_job_replaces_no_process(script, job):
    steps, said = script.run("up", fails=job, code=1)
    assert f"{job} failed: no process was replaced" in said
    assert steps[-1] == f"run {job}"


def test_the_image_knows_version_and_commit(script):
    script.run("image")
    assert re.search(r"build --file deploy/Dockerfile --tag countersign:0\.2\.0 --build-arg VERSION=0\.2\.0 --build-arg COMMIT=", script.lines[-1])


def test_down_keeps_the_volumes(script):
    steps, _ = script.run("down")
    assert steps == ["down"] and "--volumes" not in script.lines[-1] and " -v" not in script.lines[-1]


def test_the_operators_command_runs_in_the_stack(script):
    script.run("ctl", "outbox", "status")
    assert script.lines[-1].endswith("run --rm --no-deps -T ctl outbox status")


def test_without_docker_it_says_so(tmp_path):
    for name in ("bash", "env", "cat", "dirname", "id"):
        (tmp_path / name).symlink_to(shutil.which(name))
    done = subprocess.run([ROOT / "deploy/compose.sh", "up"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "docker is not installed" in done.stderr
