"""The commands of docs/deploy.md are there: make targets, verbs of the scripts, words of countersignctl, unit names, files."""
import re
import subprocess

import pytest

from deploy.dev.stack import ROOT

PAGE = (ROOT / "docs/deploy.md").read_text()
COMMANDS = sorted(set(re.findall(r"`([^`\n]+)`", PAGE)) | set(re.findall(r"^(deploy/\S+ .*)$", PAGE, re.M)))
UNITS = {file.name for file in (ROOT / "deploy/systemd").iterdir()}


def chosen(pattern):
    found = [match for text in COMMANDS if (match := re.search(pattern, text))]
    assert found, pattern
    return found


def test_its_make_targets_exist():
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.M))
    assert {match[1] for match in chosen(r"^make ([a-z-]+)")} <= targets


@pytest.mark.parametrize("script, pattern", [
    ("deploy/systemd/countersign-host", r"countersign-host ([a-z]+)"),
    ("deploy/compose.sh", r"deploy/compose\.sh ([a-z]+)"),
])
def test_its_scripts_have_the_verbs(script, pattern):
    usage = subprocess.run([ROOT / script], capture_output=True, text=True, check=False).stdout
    assert {match[1] for match in chosen(pattern)} <= set(re.findall(rf"{script.rpartition('/')[2]} ([a-z]+)", usage))


def test_the_operators_words_are_known():
    for match in chosen(r" ctl ([a-z]+(?: [a-z]+)?)"):
        words = match[1].split()
        done = subprocess.run([ROOT / "build/release/bin/countersignctl", *words, "--help"], capture_output=True, text=True, check=False)
        assert done.returncode == 0 and done.stdout.startswith(f"usage: countersignctl {match[1]}"), match[1]


def test_its_units_are_installed():
    named = {match[0] for match in chosen(r"\bcountersign-(?:migrate|keys|log|relay@)(?:\.\w+)?")}
    for name in named:
        assert any(unit.startswith(name) for unit in UNITS), name


def test_its_metrics_exist():
    sources = "".join(file.read_text() for folder in ("libs", "services") for file in (ROOT / folder).rglob("*.[ch]*"))
    after = PAGE[PAGE.index("## After a roll-out"):PAGE.index("## Rolling back")]
    for name in re.findall(r"`([a-z]+_[a-z_]+)`", after):
        assert f'"{name}"' in sources, name


@pytest.mark.parametrize("page", ["README.md", "docs/operations.md"])
def test_it_is_found_from(page):
    assert "deploy.md)" in (ROOT / page).read_text()
