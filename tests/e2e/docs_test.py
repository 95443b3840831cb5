"""The documents say what the code says."""
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])


def test_the_configuration_page_lists_exactly_the_keys_that_are_read():
    result = subprocess.run([sys.executable, "-m", "tools.docs.configuration", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_make_target_that_a_page_names_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for page in PAGES:
        for target in re.findall(r"`make ([a-z-]+)", page.read_text()):
            assert target in targets, f"{page.name}: make {target}"


def test_every_event_type_of_the_catalogue_is_in_the_code_and_the_other_way_round():
    catalogue = set(re.findall(r"^\| `([a-z_.]+)` \| `([a-z_.]+)` \|", (ROOT / "docs/events.md").read_text(), re.M))
    code = set()
    for source in (ROOT / "services").rglob("events.h"):
        code |= {(kind, topic) for topic, kind in re.findall(r'EventKind k\w+\{"([a-z_.]+)", "([a-z_.]+)"\}', source.read_text())}
    assert catalogue == code
