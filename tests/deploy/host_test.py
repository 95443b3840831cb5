"""countersign-host as docs/deploy.md tells it, with a systemctl that really starts what the units name."""
import os
import pathlib
import shutil
import stat
import subprocess

import pytest

from tests.support.container import possible
from tests.support.host import Host, install
from tests.support.observe import metric, wait_for

MIGRATE, ENABLED = "start countersign-migrate.service", "countersign-keys.timer countersign-log.timer"


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    return install(tmp_path_factory.mktemp("releases") / "current")


@pytest.fixture(scope="module")
def older(prefix):
    """A release of an earlier version: the same programs, but what tells the version."""
    made = prefix.parent / "older"
    shutil.copytree(prefix, made)
    control = made / "bin/countersignctl"
    control.rename(control.with_name("real"))
    control.write_text(f'#!/bin/bash\n[ "$1" = --version ] && {{ echo "countersignctl 0.0.9 (0)"; exit; }}\nexec {made}/bin/real "$@"\n')
    control.chmod(0o755)
    for unit in (made / "lib/systemd/system").iterdir():
        unit.write_text(unit.read_text().replace(str(prefix), str(made)))
    return made


@pytest.fixture(scope="module")
def host(tmp_path_factory, prefix, provisioned):
    made = Host(tmp_path_factory.mktemp("host"), provisioned)
    done = made.run(prefix, "provision")
    assert done.returncode == 0, done.stderr
    assert f"to be filled: {made.etc}/secrets/auth.database_url" in done.stdout
    made.fill()
    yield made
    assert not made.manager.stop_all(), "everything stops in time"


def restarts(host):
    return [line.removeprefix("restart countersign-").removesuffix(".service") for line in host.calls() if line.startswith("restart ")]


def relay_units(host, *order):
    return [f"relay@{host.relays[at]}" for at in order]


def leads(port):
    try:
        return metric(f"127.0.0.1:{port}", "relay_leader") == 1
    except OSError:
        return False


def leader(host):
    return wait_for(lambda: [at for at, port in enumerate(host.relays) if leads(port)], "one relay to lead")[0]


def roll_out(host, prefix, *parts):
    done = host.run(prefix, "rollout", *parts)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_provisioning_keeps_secrets_to_their_owner_and_can_be_repeated(host, prefix):
    assert "--root" not in (host.folder / "sysusers").read_text()
    modes = {name: stat.S_IMODE(os.stat(host.etc / name).st_mode) for name in (
        "secrets", "keys", "tls", "migrate.env", "secrets/twilio.api_secret", "auth.yaml")}
    assert modes == {"secrets": 0o700, "keys": 0o700, "tls": 0o750, "migrate.env": 0o600, "secrets/twilio.api_secret": 0o600,
                     "auth.yaml": 0o644}
    before = {file: file.read_bytes() for file in host.etc.rglob("*") if file.is_file()}
    again = host.run(prefix, "provision")
    assert again.returncode == 0, again.stderr
    assert "to be filled" not in again.stdout
    assert before == {file: file.read_bytes() for file in host.etc.rglob("*") if file.is_file()}


def test_the_first_rollout_migrates_and_starts_the_relays_before_there_are_events(host, prefix):
    assert host.run(prefix, "ctl", "migrate", "down", "--all").returncode == 0
    assert host.run(prefix, "ctl", "migrate", "status").returncode == 3, "migrations are pending"
    host.calls()
    assert "is rolled out: relay otp auth" in roll_out(host, prefix)
    calls = host.calls()
    assert calls[:2] == ["daemon-reload", MIGRATE]
    assert [line for line in calls if line.startswith("restart")] == [
        f"restart countersign-{name}.service" for name in (*relay_units(host, 0, 1), "otp", "auth")]
    assert ENABLED in calls[-2] and calls[-2].startswith("enable ") and calls[-1] == f"start {ENABLED}"
    assert host.run(prefix, "ctl", "migrate", "status").returncode == 0


def test_an_upgrade_leaves_the_leading_relay_to_the_end(host, prefix):
    host.calls()
    led = leader(host)
    roll_out(host, prefix)
    assert restarts(host) == ["otp", "auth", *relay_units(host, 1 - led, led)]
    assert leader(host) in (0, 1), "whichever was quicker"


def test_a_rollback_goes_the_other_way_round_and_leaves_the_database(host, prefix, older):
    host.calls()
    assert "0.0.9" in roll_out(host, older)
    assert [name for name in restarts(host) if "relay" not in name] == ["auth", "otp"]
    assert (host.units / "countersign-auth.service").resolve().is_relative_to(older)
    roll_out(host, prefix)
    assert [name for name in restarts(host) if "relay" not in name] == ["otp", "auth"]


def test_one_part_alone_can_be_rolled_out(host, prefix):
    host.calls()
    roll_out(host, prefix, "otp")
    assert restarts(host) == ["otp"]
    refused = host.run(prefix, "rollout", "keys")
    assert refused.returncode == 1 and "no such part: keys" in refused.stderr


def test_a_wrong_configuration_changes_nothing(host, prefix):
    host.calls()
    file = host.etc / "auth.yaml"
    good = file.read_text()
    file.write_text(good + "no_such_key: 1\n")
    try:
        refused = host.run(prefix, "rollout")
    finally:
        file.write_text(good)
    assert refused.returncode == 1
    assert "no_such_key" in refused.stderr and "nothing was changed" in refused.stderr
    assert not host.calls()


def test_a_failed_migration_restarts_nothing(host, prefix):
    host.calls()
    file = host.etc / "migrate.env"
    good = file.read_text()
    file.write_text('DATABASE_URL="host=127.0.0.1 port=9 user=nobody"\n')
    try:
        refused = host.run(prefix, "rollout")
    finally:
        file.write_text(good)
    assert refused.returncode == 1 and "migrations failed" in refused.stderr
    assert not restarts(host)


@pytest.mark.parametrize("program, why", [("exit 78", "ended"), ("sleep 30", "does not serve after 1 s")])
def test_a_relay_that_does_not_serve_ends_the_rollout_while_the_other_still_leads(host, prefix, tmp_path, program, why):
    broken = tmp_path / "broken"
    shutil.copytree(prefix, broken)
    (broken / "bin/countersign-relay").write_text(
        f'#!/bin/bash\n[[ " $* " == *" --check-config "* ]] && exec {prefix}/bin/countersign-relay "$@"\n{program}\n')
    for unit in (broken / "lib/systemd/system").iterdir():
        unit.write_text(unit.read_text().replace(str(prefix), str(broken)))
    led = leader(host)
    refused = host.run(broken, "rollout", "relay", COUNTERSIGN_PATIENCE="1")
    assert refused.returncode == 1 and why in refused.stderr
    assert leader(host) == led
    roll_out(host, prefix)


def test_the_operators_command_has_its_environment(host, prefix):
    lag = host.run(prefix, "ctl", "outbox", "status")
    assert lag.returncode == 0, lag.stderr
    assert host.run(prefix, "no-such-verb").returncode == 64


def test_the_key_rings_belong_to_the_user_of_auth_and_otp(prefix, provisioned, tmp_path):
    if not possible():
        pytest.skip("needs root and namespaces")
    for name, line in (("passwd", "countersign:x:30001:30001::/:/bin/false"), ("group", "countersign:x:30001:")):
        (tmp_path / name).write_text((pathlib.Path("/etc") / name).read_text() + line + "\n")
    other = Host(tmp_path / "host", provisioned)
    other.etc.mkdir()
    # In a mount namespace, below a folder that the user can walk through.
    enter = f"""mount --bind {tmp_path}/passwd /etc/passwd; mount --bind {tmp_path}/group /etc/group
                mount -t tmpfs -o mode=755 tmpfs /mnt; mkdir /mnt/etc /mnt/release
                mount --bind {other.etc} /mnt/etc; mount --bind {prefix} /mnt/release; chmod 755 /mnt/release
                exec /mnt/release/sbin/countersign-host provision"""
    done = subprocess.run(["unshare", "--mount", "--propagation", "private", "bash", "-ec", enter], capture_output=True, text=True,
                          check=False, env=other.environment(COUNTERSIGN_USER="countersign", COUNTERSIGN_ETC="/mnt/etc"))
    assert done.returncode == 0, done.stderr
    owners = {file.stat().st_uid for file in (other.etc / "keys").rglob("*")}
    assert owners == {30001}
    assert (other.etc / "tls").stat().st_gid == 30001 and (other.etc / "secrets").stat().st_uid == 0


def test_systemd_makes_the_user(prefix, tmp_path):
    if not shutil.which("systemd-sysusers"):
        pytest.skip("systemd-sysusers is not installed: Debian package systemd")
    (tmp_path / "etc").mkdir()
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}", prefix / "lib/sysusers.d/countersign.conf"], check=True)
    assert pathlib.Path(tmp_path / "etc/passwd").read_text().startswith("countersign:x:")
    assert "countersign:" in (tmp_path / "etc/group").read_text()
