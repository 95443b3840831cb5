"""The command of a service's unit, started and stopped as systemd would."""
import signal
import subprocess
import urllib.request

from tests.support.observe import wait_for
from tests.support.units import UnitFault


def unit_of(host, prefix, service, relay=0):
    name = "countersign-relay@.service" if service == "relay" else f"countersign-{service}.service"
    return host.unit(prefix, name, str(host.relays[relay]) if service == "relay" else "")


def healthy(address):
    try:
        with urllib.request.urlopen(f"http://{address}/healthz", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


class Running:
    """The command of a unit, until the end of the block at the latest."""

    def __init__(self, host, unit, address, wrapper=()):
        self.unit, self.address = unit, address
        self.traced = bool(wrapper)
        self.process = host.launch(unit).start(wrapper=wrapper, more=host.drop_in())

    def __enter__(self):
        try:
            wait_for(lambda: healthy(self.address) or self.process.poll() is not None, f"{self.unit.file.name} to serve", 60)
            if self.process.poll() is not None:
                raise UnitFault(f"{self.unit.file.name}: exit code {self.process.returncode}: {self.process.stderr.read()}")
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self):
        """Exit code after SIGTERM, within the time that systemd would give."""
        target = self.process.pid
        if self.traced:    # strace leaves signals to whom it traces
            target = int(open(f"/proc/{target}/task/{target}/children", encoding="ascii").read().split()[0])
        subprocess.run(["kill", "-TERM", str(target)], check=True)
        _, said = self.process.communicate(timeout=self.unit.seconds("TimeoutStopSec"))
        assert "warning" not in said, said
        return self.process.returncode

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.communicate()
