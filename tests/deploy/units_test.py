"""Every unit names what is installed, its command starts from an install prefix, serves and stops in time, and
does nothing that its sandbox would refuse."""
import re
import shutil
import subprocess

import pytest

from tests.support.host import Host, install
from tests.support.observe import metric, wait_for
from tests.support.running import Running, unit_of
from tests.support.units import Unit, UnitFault

SERVICES = ("auth", "otp", "relay")
TIMED = {"countersign-migrate.service", "countersign-keys.service"}    # and countersign-log: retention_test.py


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    return install(tmp_path_factory.mktemp("prefix"))


@pytest.fixture(scope="module")
def host(tmp_path_factory, prefix, provisioned):
    made = Host(tmp_path_factory.mktemp("host"), provisioned)
    done = made.run(prefix, "provision")
    assert done.returncode == 0, done.stderr
    made.fill()
    return made


@pytest.mark.parametrize("service", SERVICES)
def test_the_command_of_a_service_serves_and_stops_in_time(host, prefix, service):
    with Running(host, unit_of(host, prefix, service), host.metrics(service)) as running:
        assert running.stop() == 0


def test_of_two_relay_instances_one_leads_and_the_other_takes_over(host, prefix):
    first, second = (f"127.0.0.1:{port}" for port in host.relays)
    with Running(host, unit_of(host, prefix, "relay"), first) as leader:
        wait_for(lambda: metric(first, "relay_leader") == 1, "the first to lead")
        with Running(host, unit_of(host, prefix, "relay", 1), second):
            assert metric(second, "relay_leader") == 0
            assert leader.stop() == 0
            wait_for(lambda: metric(second, "relay_leader") == 1, "the second to lead", 10)


@pytest.mark.parametrize("name", sorted(TIMED))
def test_the_command_of_a_one_shot_unit_does_its_work(host, prefix, name):
    process = host.launch(host.unit(prefix, name)).start(stdout=subprocess.PIPE)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out == "nothing to apply\n" if "migrate" in name else "nothing to do\n"


@pytest.mark.parametrize("service", SERVICES)
def test_the_stop_budget_fits_into_the_time_that_systemd_gives(host, prefix, service):
    budget = re.search(r"^stop_budget: (\d+)s", (host.etc / f"{service}.yaml").read_text(), re.M)[1]
    assert int(budget) < unit_of(host, prefix, service).seconds("TimeoutStopSec")


# What would go wrong is noticed.
@pytest.mark.parametrize("old, new, why", [
    ("bin/countersign-otp", "bin/countersign-otpd", "no program"),
    ("--strict", "--stricter", "exit code 64"),
    ("OTP_DATABASE_URL_FILE=%d/database_url", "OTP_DATABASE_FILE=%d/database_url", "exit code 78"),
    ("/etc/countersign/otp.yaml\n# It tries", "/etc/countersign/opt.yaml\n# It tries", "does not exist"),
    ("secrets/twilio.api_secret", "secrets/twilio.secret", "does not exist"),
])
def test_a_unit_that_cannot_work_is_noticed(host, prefix, tmp_path, old, new, why):
    text = (prefix / "lib/systemd/system/countersign-otp.service").read_text()
    assert old in text
    faulty = tmp_path / "countersign-otp.service"
    faulty.write_text(text.replace(old, new, 1))
    with pytest.raises(UnitFault, match=why):
        with Running(host, Unit(faulty), host.metrics("otp")):
            pass


def unit_files(prefix):
    return sorted((prefix / "lib/systemd/system").iterdir())


def systemd_analyze(*words):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed: Debian package systemd")
    done = subprocess.run(["systemd-analyze", "--no-pager", *map(str, words)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def verified(files, folder):
    """systemd's own judgement; a template is looked at through an instance of it."""
    copies = []
    for file in files:
        copies.append(shutil.copy(file, folder / file.name.replace("@.", "@9465.")))
    return systemd_analyze("verify", *copies)


def test_systemd_finds_no_fault(prefix, tmp_path):
    assert verified(unit_files(prefix), tmp_path) == (0, "")


def test_systemd_would_find_a_misspelt_directive(prefix, tmp_path):
    faulty = tmp_path / "countersign-auth.service"
    faulty.write_text((prefix / "lib/systemd/system/countersign-auth.service").read_text().replace("PrivateTmp=", "PrivateTemp="))
    (tmp_path / "copies").mkdir()
    assert "PrivateTemp" in verified([faulty], tmp_path / "copies")[1]


# systemd's measure times ten: 0 is a program that can do nothing, 96 one without any sandbox.
@pytest.mark.parametrize("name, most", [("auth", 17), ("otp", 17), ("relay@", 17), ("migrate", 17), ("log", 17), ("keys", 10)])
def test_the_exposure_stays_low(prefix, name, most):
    code, out = systemd_analyze("security", "--offline=yes", f"--threshold={most}", prefix / f"lib/systemd/system/countersign-{name}.service")
    assert code == 0, out


def test_all_services_have_the_same_sandbox(prefix):
    def sandbox(file):
        text = file.read_text()
        begin = text.index("# The sandbox;")
        return text[begin:text.index("SystemCallErrorNumber=EPERM", begin)]

    assert len({sandbox(file) for file in unit_files(prefix) if file.suffix == ".service"}) == 1


def allowed_calls(unit):
    """The system calls that the unit's filter lets through."""
    allowed = set()
    for line in unit.values("SystemCallFilter"):
        names = set()
        for word in line.removeprefix("~").split():
            names |= group(word) if word.startswith("@") else {word}
        allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed


def group(name):
    _, out = systemd_analyze("syscall-filter", name)
    words = {word for line in out.splitlines()[1:] for word in line.split("#")[0].split()}
    return {word for word in words if word[0] != "@"}.union(*(group(word) for word in words if word[0] == "@"))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_does_nothing_that_its_sandbox_refuses(host, prefix, tmp_path, service):
    if not shutil.which("strace"):
        pytest.skip("strace is not installed: make setup-check")
    unit = unit_of(host, prefix, service)
    trace = tmp_path / "trace"
    with Running(host, unit, host.metrics(service), ["strace", "-f", "-qq", "-o", trace]) as running:
        assert running.stop() == 0
    text = trace.read_text()
    called = set(re.findall(r"^\d+ +([a-z_0-9]+)\(", text, re.M))
    assert {"execve", "socket"} <= called
    assert not called - allowed_calls(unit)
    families = set(re.findall(r"\bsocket(?:pair)?\((AF_[A-Z0-9]+)", text))
    assert families <= set(unit.value("RestrictAddressFamilies").split())
    assert not re.findall(r"^.*PROT_WRITE\|PROT_EXEC.*$", text, re.M), "MemoryDenyWriteExecute"
    written = set(re.findall(r'\bopen(?:at)?\([^"\n]*"([^"\n]+)", [^)\n]*O_(?:WRONLY|RDWR)', text))
    assert not {path for path in written if not path.startswith(("/dev/null", "/tmp/", "/proc/"))}, "ProtectSystem"
