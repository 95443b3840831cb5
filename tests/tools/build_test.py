"""tools/build.sh keeps two builds of one preset in a checkout apart."""
import fcntl
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_a_second_build_of_a_preset_waits_for_the_first():
    (ROOT / "build").mkdir(exist_ok=True)
    with open(ROOT / "build" / "debug.lock", "w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        second = subprocess.Popen([ROOT / "tools/build.sh", "debug", "countersign_commit"], stdout=subprocess.PIPE, text=True)
        assert second.stdout.readline() == "build: waiting for another build of debug in this checkout\n"
        assert second.poll() is None
        fcntl.flock(first, fcntl.LOCK_UN)
    assert second.stdout.readline() == "build: debug\n"
    second.communicate(timeout=300)
    assert second.returncode == 0
