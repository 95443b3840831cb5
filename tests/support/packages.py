"""Which Debian packages the shared libraries of a program belong to."""
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def listed(name):
    """The packages of deploy/packages/<name>."""
    lines = (ROOT / "deploy/packages" / name).read_text().splitlines()
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def libraries(binary, direct=False):
    """Paths of the shared libraries that the loader maps; direct: only those the program itself names."""
    mapped = dict(re.findall(r"(\S+) => (/\S+)", _output("ldd", binary)))
    if direct:
        named = re.findall(r"NEEDED +(\S+)", _output("objdump", "-p", binary))
        return {mapped[name] for name in named if name in mapped}
    return set(mapped.values())


def owners(files):
    """File -> its package. A file has two names since /lib is a link into /usr; a package knows one."""
    names = {file: {file, f"/usr{file}", file.removeprefix("/usr")} for file in files}
    found = subprocess.run(["dpkg-query", "-S", *sorted(set().union(*names.values()))], capture_output=True, text=True, check=False)
    packages = {}
    for line in found.stdout.splitlines():
        package, _, path = line.rpartition(": ")
        packages[path] = package.split(":")[0]
    return {file: next((packages[name] for name in known if name in packages), None) for file, known in names.items()}


def with_dependencies(packages):
    """The packages and everything that comes with them, of what is installed here; those that Debian
    calls essential are in every image."""
    fields = "${Package}\t${Essential}\t${Pre-Depends}, ${Depends}\n"
    depends, closure = {}, set()
    for line in _output("dpkg-query", "-W", "-f", fields).splitlines():
        name, essential, text = line.split("\t")
        alternatives = re.split(r"[,|]", text)
        depends.setdefault(name, set()).update(re.sub(r"[:(].*", "", word).strip() for word in alternatives)
        if essential == "yes":
            closure.add(name)
    waiting = list(set(packages) | closure)
    closure = set()
    while waiting:
        name = waiting.pop()
        if name in depends and name not in closure:
            closure.add(name)
            waiting += depends[name]
    return closure


def _output(*command):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stdout
