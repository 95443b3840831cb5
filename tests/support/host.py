"""A host in a folder: an installed release, /etc/countersign and the units, provisioned by countersign-host
and filled in for one stack's servers."""
import getpass
import os
import shutil
import subprocess
import sys

from deploy.dev.secret_store import write_private
from deploy.dev.services import ACCOUNT_SID, VERIFY_SERVICES
from deploy.dev.stack import ROOT
from tests.support.systemctl import Manager
from tests.support.units import Launch, Unit

ADDRESSES = {"9464": "auth_metrics", "9465": "relay_metrics", "9466": "otp_metrics", "50051": "auth_grpc", "50052": "otp_grpc",
             "9092": "kafka"}


def install(prefix):
    done = subprocess.run(["cmake", "--install", ROOT / "build/release", "--prefix", prefix], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return prefix


class Host:
    def __init__(self, folder, stack):
        self.folder = folder
        self.stack = stack
        self.etc = folder / "etc"
        self.units = folder / "units"
        self.state = folder / "state"
        self.relays = [stack.ports.get("relay_metrics"), stack.ports.get("relay_metrics_2")]
        tools = folder / "bin"
        for made in (self.units, tools):
            made.mkdir(parents=True)
        self._tool("systemctl", f'cd {ROOT} && exec {sys.executable} -m tests.support.systemctl "$@"')
        self._tool("systemd-sysusers", f'echo "$@" >>{folder}/sysusers')
        self.manager = Manager(self.units, self.etc, self.state)

    def run(self, prefix, *words, **more):
        """countersign-host of the release at `prefix`."""
        return subprocess.run([prefix / "sbin/countersign-host", *words], env=self.environment(**more), capture_output=True, text=True,
                              check=False, timeout=240)

    def environment(self, **more):
        units = {f"TEST_UNIT_{name}": text for name, text in self.drop_in().items()}
        return {**os.environ, **units, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "COUNTERSIGN_ETC": str(self.etc),
                "COUNTERSIGN_UNITS": str(self.units), "COUNTERSIGN_USER": getpass.getuser(), "SYSTEMCTL_STATE": str(self.state),
                "COUNTERSIGN_RELAYS": " ".join(map(str, self.relays)), **more}

    def drop_in(self):
        """What the examples cannot know: the only provider that tests may talk to."""
        twilio = self.stack.server("twilio").url
        return {"OTP_TWILIO_ALLOW_INSECURE_URLS": "true", "OTP_TWILIO_ACCOUNT_SID": ACCOUNT_SID, "OTP_TWILIO_VERIFY_URL": twilio,
                "OTP_TWILIO_API_URL": twilio, "OTP_TWILIO_VERIFY_SERVICES_SIGNUP": VERIFY_SERVICES["signup"],
                "OTP_TWILIO_VERIFY_SERVICES_LOGIN": VERIFY_SERVICES["login"]}

    def fill(self):
        """What `countersign-host provision` says is to be filled and reviewed."""
        database = self.stack.server("postgres")
        for service in ("auth", "otp", "relay"):
            write_private(self.etc / f"secrets/{service}.database_url", database.url(f"countersign_{service}"))
            file = self.etc / f"{service}.yaml"
            text = file.read_text().replace("/etc/countersign", str(self.etc))
            for port, name in ADDRESSES.items():
                text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self.stack.ports.get(name)}")
            file.write_text(text)
        write_private(self.etc / "secrets/twilio.api_secret", self.stack.secrets.get("twilio.api_secret"))
        write_private(self.etc / "migrate.env", f'DATABASE_URL="{database.url()}"\nKAFKA_BROKERS="{self.stack.server("kafka").address}"\n')
        for file in self.stack.tls_dir.iterdir():
            shutil.copy2(file, self.etc / "tls")

    def metrics(self, service):
        return f"127.0.0.1:{self.stack.ports.get(f'{service}_metrics')}"

    def unit(self, prefix, name, instance=""):
        return Unit(prefix / "lib/systemd/system" / name, instance)

    def launch(self, unit, command=None):
        return Launch.of(unit, self.etc, self.folder / "credentials" / f"{unit.file.stem}{unit.instance}", command)

    def calls(self):
        """What was asked of systemctl since the last look."""
        file = self.state / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines

    def _tool(self, name, text):
        file = self.folder / "bin" / name
        file.write_text(f"#!/bin/bash\n{text}\n")
        file.chmod(0o755)
