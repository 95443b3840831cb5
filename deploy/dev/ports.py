"""Free loopback ports, remembered in the run folder so that a restart finds the same ones."""
import json
import os
import random
import socket
import threading
import time

# Below the kernel's ephemeral range: no outgoing connection can take one between our look and the
# server's bind.
FIRST, LAST = 20000, 32000


class Ports:
    """Thread safe: parts start at the same time."""

    def __init__(self, run_dir):
        self._file = run_dir / "ports.json"
        self._lock = threading.Lock()

    def get(self, name):
        """The port of a listener; chosen at the first call."""
        with self._lock:
            known = self._load()
            return known[name] if name in known else self._choose(name, known)

    def peek(self, name):
        """The port of a listener, or None if none was ever chosen."""
        return self._load().get(name)

    def renew_if_taken(self, name, patience=0.0):
        """Before a start: another program may have taken the remembered port meanwhile. A port that
        others were already told is waited for: its last owner may still be dying."""
        port, deadline = self.get(name), time.monotonic() + patience
        while not _is_free(port) and time.monotonic() < deadline:
            time.sleep(0.05)
        if _is_free(port):
            return
        with self._lock:
            self._choose(name, self._load())

    def _choose(self, name, known):
        known[name] = _free_port(set(known.values()))
        self._save(known)
        return known[name]

    def _load(self):
        try:
            return json.loads(self._file.read_text())
        except (FileNotFoundError, ValueError):
            return {}

    def _save(self, known):
        self._file.parent.mkdir(parents=True, exist_ok=True)
        half = self._file.with_suffix(f".{os.getpid()}.new")
        half.write_text(json.dumps(known, indent=1, sort_keys=True))
        half.replace(self._file)


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
