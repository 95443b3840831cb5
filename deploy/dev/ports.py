"""Free loopback ports, remembered in the run folder so that a restart finds the same ones."""
import json
import random
import socket

# Below the kernel's ephemeral range: no outgoing connection can take one between our look and the
# server's bind.
FIRST, LAST = 20000, 32000


class Ports:
    def __init__(self, run_dir):
        self._file = run_dir / "ports.json"

    def get(self, name):
        """The port of a listener; chosen at the first call."""
        known = self._load()
        if name not in known:
            known[name] = _free_port(set(known.values()))
            self._save(known)
        return known[name]

    def renew_if_taken(self, name):
        """Before a start: another program may have taken the remembered port meanwhile."""
        if _is_free(self.get(name)):
            return
        known = self._load()
        known[name] = _free_port(set(known.values()))
        self._save(known)

    def _load(self):
        try:
            return json.loads(self._file.read_text())
        except (FileNotFoundError, ValueError):
            return {}

    def _save(self, known):
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(known, indent=1, sort_keys=True))


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port(taken):
    for _ in range(200):
        port = random.randrange(FIRST, LAST)
        if port not in taken and _is_free(port):
            return port
    raise RuntimeError(f"no free port between {FIRST} and {LAST}")
