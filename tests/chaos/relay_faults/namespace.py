"""A network namespace for a relay, joined to this machine by a link that can be taken down.

Both ends have loopback addresses, so that what is allowed without TLS on loopback is allowed here.
"""
import pathlib
import random
import shutil
import subprocess


class Namespace:
    """Made when it is wanted first; `why_not` says why it cannot be. The outside address serves without it too."""

    def __init__(self):
        self._number = random.randrange(1, 250)  # two runs on one machine
        self.outside, self.inside = f"127.213.{self._number}.1", f"127.213.{self._number}.2"
        self.name, self._link = f"countersign-{self._number}", f"csn{self._number}"
        self._made = False

    def make(self):
        """"" when it is there, else why not."""
        if self._made:
            return ""
        if not shutil.which("ip"):
            return "there is no program ip"
        far = f"{self._link}r"
        steps = (
            ("netns", "add", self.name),
            ("link", "add", self._link, "type", "veth", "peer", "name", far, "netns", self.name),
            ("addr", "add", f"{self.outside}/32", "peer", f"{self.inside}/32", "dev", self._link),
            ("link", "set", self._link, "up"),
            ("-n", self.name, "addr", "add", f"{self.inside}/32", "peer", f"{self.outside}/32", "dev", far),
            ("-n", self.name, "link", "set", far, "up"),
            ("-n", self.name, "link", "set", "lo", "up"),
            # Before the local table's 127.0.0.0/8, by being longer.
            ("-n", self.name, "route", "add", f"{self.outside}/32", "dev", far, "src", self.inside, "table", "local"),
        )
        for step in steps:
            if failed := self._ip(*step):
                self.close()
                return failed
        self._made = True
        return self._allow_loopback(far) or self.up()

    def up(self):
        """The route outside goes with the link, so it is made anew each time."""
        if not self._made:
            return ""
        self._ip("link", "set", self._link, "up")
        return self._ip("route", "replace", f"{self.inside}/32", "dev", self._link, "src", self.outside, "table", "local")

    def down(self):
        return self._ip("link", "set", self._link, "down")

    def carrier_changes(self):
        return int(pathlib.Path(f"/sys/class/net/{self._link}/carrier_changes").read_text())

    def close(self):
        self._ip("link", "del", self._link)
        self._ip("netns", "del", self.name)
        self._made = False

    def _allow_loopback(self, far):
        setting = "/proc/sys/net/ipv4/conf/{}/route_localnet"
        try:
            pathlib.Path(setting.format(self._link)).write_text("1")
        except OSError as error:
            return str(error)
        done = subprocess.run(["ip", "netns", "exec", self.name, "sh", "-c", f"echo 1 >{setting.format(far)}"],
                              capture_output=True, text=True, check=False)
        return done.stderr.strip()

    @staticmethod
    def _ip(*words):
        if not shutil.which("ip"):
            return "there is no program ip"
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
        return "" if done.returncode == 0 else done.stderr.strip() or f"ip {words[0]} failed"
