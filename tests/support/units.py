"""systemd units, read and started without systemd: enough of it to see that what a unit names is there and
runs. Its sandbox is not set up; systemd-analyze and strace judge that."""
import dataclasses
import os
import pathlib
import re
import shlex
import subprocess
import tempfile

CONFIGURATION = "/etc/countersign"


class UnitFault(AssertionError):
    """What systemd would refuse, or what the unit's program does."""


class Unit:
    def __init__(self, file, instance=""):
        self.file = pathlib.Path(file)
        self.instance = instance
        self._lines = []
        section = ""
        for line in self.file.read_text().replace("\\\n", " ").splitlines():
            if line.startswith("[") and line.endswith("]"):
                section = line[1:-1]
            elif line and line[0] not in "#;":
                key, _, value = line.partition("=")
                self._lines.append((section, key, value))

    def values(self, key, section="Service"):
        return [value for at, name, value in self._lines if (at, name) == (section, key)]

    def value(self, key, default="", section="Service"):
        return (self.values(key, section) or [default])[-1]

    def seconds(self, key):
        return int(self.value(key))


# /run of what is launched here and ends with this process; a socket's path below a test's own folder would be too long.
RUNTIME = tempfile.TemporaryDirectory(prefix="units-")


@dataclasses.dataclass
class Launch:
    """What systemd would start, with the configuration's folder elsewhere."""
    words: list
    environment: dict

    @staticmethod
    def of(unit, etc, credentials, command=None, runtime=RUNTIME.name):
        """credentials: an empty folder that the unit's credentials are put into; command: which of several ExecStart=; runtime: /run."""
        place = {"%d": str(credentials), "%i": unit.instance, "%%": "%", CONFIGURATION: str(etc), "%t": str(runtime)}

        def resolved(text):
            return re.sub(f"%.|{CONFIGURATION}(?=[/ ]|$)", lambda match: place[match[0]], text)

        pathlib.Path(credentials).mkdir(mode=0o700, parents=True, exist_ok=True)
        for entry in unit.values("LoadCredential"):
            name, _, source = entry.partition(":")
            _copy_credential(pathlib.Path(resolved(source)), pathlib.Path(credentials) / name)
        for name in unit.values("RuntimeDirectory"):
            pathlib.Path(resolved(f"%t/{name}")).mkdir(mode=int(unit.value("RuntimeDirectoryMode", "0755"), 8), parents=True, exist_ok=True)
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
        for line in unit.values("Environment"):
            environment.update(word.split("=", 1) for word in shlex.split(resolved(line)))
        for name in unit.values("EnvironmentFile"):
            environment.update(_assignments(pathlib.Path(resolved(name))))
        for path in unit.values("AssertPathExists", "Unit"):
            if not os.path.exists(resolved(path)):
                raise UnitFault(f"{unit.file.name}: {path} does not exist")
        words = shlex.split(resolved(command or unit.value("ExecStart")))
        if not os.access(words[0], os.X_OK):
            raise UnitFault(f"{unit.file.name}: {words[0]} is no program")
        return Launch(words, environment)

    def start(self, stderr=subprocess.PIPE, wrapper=(), more=None, **options):
        """more: variables that a test adds."""
        return subprocess.Popen([*map(str, wrapper), *self.words], env={**self.environment, **(more or {})}, stderr=stderr, text=True,
                                cwd="/", **options)


def _copy_credential(source, target):
    if not source.is_file():
        raise UnitFault(f"credential {source} does not exist")
    target.unlink(missing_ok=True)
    target.touch(mode=0o400)
    os.chmod(target, 0o600)
    target.write_bytes(source.read_bytes())
    os.chmod(target, 0o400)


def _assignments(file):
    if not file.is_file():
        raise UnitFault(f"EnvironmentFile {file} does not exist")
    lines = [line for line in file.read_text().splitlines() if line.strip() and line[0] not in "#;"]
    return dict(shlex.split(line)[0].split("=", 1) for line in lines)
