"""Containers without images: what a Compose file says of a service, done with this machine's own programs in
namespaces, as its user, without capabilities, on a read-only root with its volumes. Needs root. The images'
own contents are stood in for: the release below /usr/local, Kafka's jars behind the names of its scripts, PostgreSQL's
first start by initdb."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from deploy.dev.kafka import jars
from deploy.dev.postgres import server_programs
from tests.support.compose import FILE, mounts

USERS = {"root": 0, "postgres": 999, "appuser": 1000, "countersign": 10001}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
# What programs read of a machine's /etc.
SHARED_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "nsswitch.conf", "ssl", "ca-certificates", "alternatives", "java-17-openjdk",
              "localtime", "protocols", "services")
NETWORK = """
import fcntl, signal, socket, struct
with socket.socket() as any_socket:                      # SIOCSIFFLAGS: IFF_UP
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 1))
print("up", flush=True)
signal.pause()
"""
ENTER = """
set -e
root=$1; shift
mount --bind "$root" "$root"
for folder in usr dev proc; do mount --rbind "/$folder" "$root/$folder"; done
mount --bind "$PREFIX" "$root/usr/local"
while [ "$1" != -- ]; do
  case $1 in
    tmpfs) mount -t tmpfs -o "$3" tmpfs "$root$2"; shift 3;;
    *) mount --bind "$2" "$root$3"; [ "$1" = rw ] || mount -o remount,bind,ro "$root$3"; shift 3;;
  esac
done
shift
mount -o remount,bind,ro "$root"
user=$1; capabilities=$2; shift 2
exec chroot "$root" /usr/bin/setpriv --reuid="$user" --regid="$user" --clear-groups --bounding-set="$capabilities" \
  --inh-caps=-all --no-new-privs -- "$@"
"""


def possible():
    return os.geteuid() == 0 and subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False).returncode == 0


class Containers:
    def __init__(self, folder, prefix, services):
        self.folder, self.prefix, self.services = folder, prefix, services
        self.running = {}
        self.done = set()
        self.output = {}
        (folder / "logs").mkdir(parents=True)
        self._programs()
        self._holder = subprocess.Popen(["unshare", "--net", sys.executable, "-c", NETWORK], stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout.readline() == "up\n"

    def up(self, name):
        """The service, after what it depends on."""
        if name in self.running or name in self.done:
            return
        for other, how in self.services[name].get("depends_on", {}).items():
            self.up(other)
            if how["condition"] == "service_healthy":
                self.wait_healthy(other)
        if name == "postgres":
            self._make_cluster()
        if self.services[name].get("restart"):
            self._start(name)
        else:
            self.output[name] = self.run(name)
            self.done.add(name)

    def run(self, name, *command, code=0, **variables):
        """What a command prints in a container of that service; without a command its own, to its end."""
        done = subprocess.run(**self._call(name, list(command) or self._command(name), variables), capture_output=True, text=True, check=False,
                              timeout=120)
        assert done.returncode == code, f"{name}: exit code {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def spawn(self, name, *command):
        return subprocess.Popen(**self._call(name, list(command), {}), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def healthy(self, name):
        words = self.services[name]["healthcheck"]["test"]
        assert words[0] == "CMD"
        return subprocess.run(**self._call(name, words[1:], {}), capture_output=True, check=False, timeout=30).returncode == 0

    def wait_healthy(self, name, seconds=90):
        deadline = time.monotonic() + seconds
        while not self.healthy(name):
            ended = self.running[name].poll()
            assert ended is None, f"{name}: exit code {ended}: {self.log(name)}"
            assert time.monotonic() < deadline, f"{name} is not healthy after {seconds} s: {self.log(name)}"
            time.sleep(0.1)

    def log(self, name):
        return (self.folder / "logs" / name).read_text()[-3000:]

    def stop(self, name):
        """Exit code after its stop signal."""
        process = self.running.pop(name)
        process.send_signal(getattr(signal, self.services[name].get("stop_signal", "SIGTERM")))
        grace = self.services[name].get("stop_grace_period", "10s").replace("1m", "60s")
        try:
            return process.wait(int(grace.removesuffix("s")))
        finally:
            process.kill()
            process.wait()

    def close(self):
        for name in reversed(list(self.running)):
            self.running[name].kill()
            self.running.pop(name).wait()
        self._holder.kill()
        self._holder.communicate()

    def volume(self, name):
        return self.folder / "volumes" / name

    def _start(self, name):
        log = (self.folder / "logs" / name).open("ab")
        with log:
            self.running[name] = subprocess.Popen(**self._call(name, self._command(name), {}), stdout=log, stderr=log)

    def _command(self, name):
        service = self.services[name]
        return [*service.get("entrypoint", []), *service["command"]]

    def _call(self, name, command, variables):
        service = self.services[name]
        root = self._root(name)
        options = []
        for place in service.get("tmpfs", []):
            target, _, how = place.partition(":")
            self._folder(root, target)
            options += ["tmpfs", target, how or "mode=1777"]
        for source, target, read_only in self._mounts(name):
            options += ["ro" if read_only else "rw", str(source), target]
        user = service["user"].split(":")[0]
        added = "".join(f",+{capability.lower()}" for capability in service.get("cap_add", []))
        environment = {"PATH": f"{server_programs()}:{PATH}", "PREFIX": str(self.prefix),
                       **{key: str(value) for key, value in service.get("environment", {}).items()}, **variables}
        enter = ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "unshare", "--mount", "--propagation", "private", "bash", "-c", ENTER]
        return {"args": [*enter, "enter", str(root), *options, "--", user, f"-all{added}", *command], "env": environment, "cwd": "/"}

    def _mounts(self, name):
        service, root = self.services[name], self._root(name)
        for source, target, read_only in mounts(service):
            if source.startswith("./"):
                source = FILE.parent / source
            elif not source.startswith("/"):
                source = self._volume(source)
            self._folder(root, target if source.is_dir() else os.path.dirname(target)) if isinstance(source, pathlib.Path) else None
            place = root / target.lstrip("/")
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.touch()
            yield source, target, read_only
        if service["image"].startswith("apache/kafka"):
            for source, target in ((jars(), "/opt/kafka/libs"), (self.folder / "kafka-bin", "/opt/kafka/bin")):
                self._folder(root, target)
                yield source, target, True

    def _volume(self, name):
        """A new volume has owner and mode of the image's folder that it is mounted on."""
        folder = self.volume(name)
        if not folder.exists():
            folder.mkdir(parents=True)
            owner = {"data-postgres": 999, "data-kafka": 1000}.get(name, 10001 if name.startswith("keys-") else 0)
            os.chown(folder, owner, owner)
            folder.chmod(0o755 if owner == 0 else 0o700)
        return folder

    def _root(self, name):
        root = self.folder / "roots" / name
        if root.exists():
            return root
        for place in ("usr", "dev", "proc", "etc", "tmp", "run", "var/run"):
            (root / place).mkdir(parents=True)
        for link in ("bin", "sbin", "lib", "lib64"):
            (root / link).symlink_to(f"usr/{link}")
        for entry in SHARED_ETC:
            source = pathlib.Path("/etc") / entry
            if source.is_dir():
                shutil.copytree(source, root / "etc" / entry, symlinks=True)
            elif source.exists():
                shutil.copy(source, root / "etc" / entry)
        lines = [f"{user}:x:{number}:{number}::/:/bin/sh\n" for user, number in USERS.items()]
        (root / "etc/passwd").write_text("".join(lines))
        (root / "etc/group").write_text("".join(f"{user}:x:{number}:\n" for user, number in USERS.items()))
        (root / "etc/hosts").write_text("127.0.0.1 localhost " + " ".join(self.services) + "\n")
        return root

    @staticmethod
    def _folder(root, place):
        (root / place.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def _programs(self):
        folder = self.folder / "kafka-bin"
        folder.mkdir()
        for name, words in (("kafka-storage.sh", "kafka.tools.StorageTool"), ("kafka-server-start.sh", "kafka.Kafka")):
            (folder / name).write_text(f'#!/bin/bash\nexec java $KAFKA_HEAP_OPTS $KAFKA_LOG4J_OPTS -cp "/opt/kafka/libs/*" {words} "$@"\n')
            (folder / name).chmod(0o755)

    def _make_cluster(self):
        """As the image's entrypoint does at its first start, with the server on its socket only."""
        wanted = self.services["postgres"]["environment"]
        if not (self._volume("data-postgres") / "cluster").exists():
            self.run("postgres", "bash", "-ec", f"""
                initdb -D $PGDATA -U $POSTGRES_USER --pwfile=$POSTGRES_PASSWORD_FILE --no-sync {wanted['POSTGRES_INITDB_ARGS']}
                pg_ctl -D $PGDATA -w -o "-c listen_addresses='' -k /tmp" start
                PGPASSWORD=$(cat $POSTGRES_PASSWORD_FILE) createdb -h /tmp -U $POSTGRES_USER $POSTGRES_DB
                pg_ctl -D $PGDATA -w stop""")
