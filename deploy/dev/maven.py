"""Java programs from a pinned pom.xml, resolved by Maven into the user's cache."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile

from deploy.dev.process import StackError


def resolved(pom, name, complete=lambda folder: None):
    """The folder with the run-time artifacts of a pom, fetched at the first call with this content of it.

    complete(folder) may prepare what was fetched; the folder gets its name only after that.
    """
    tag = hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "countersign"
    home = cache / f"{name}-{tag}"
    if home.exists():
        return home
    cache.mkdir(parents=True, exist_ok=True)
    print(f"setup: fetching {name.capitalize()} with Maven into the user's cache", flush=True)
    half = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=cache))
    try:
        fetched = subprocess.run(
            ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", "-DincludeScope=runtime",
             f"-DoutputDirectory={half}"], capture_output=True, text=True, check=False)
        if fetched.returncode != 0:
            raise StackError(f"{name}: Maven could not fetch it:\n{(fetched.stdout + fetched.stderr)[-2000:]}")
        complete(half)
        half.chmod(0o755)
        try:
            half.rename(home)
        except OSError:       # another process was quicker
            if not home.exists():
                raise
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return home
