"""Writes docs/configuration.md from what the binaries say of their own keys.

usage: python -m tools.docs.configuration [--check]
"""
import argparse
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "configuration.md"
SERVICES = ("countersign-auth", "countersign-otp", "countersign-relay")
HEAD = """# Configuration

<!-- Printed by `make docs` from the binaries; edit the keys' help texts instead. -->

A value comes from its default, then the YAML file given with `--config`, then the environment; the
last one wins. In YAML the dots of a key are levels. Durations need a unit (`250ms`, `30s`, `5m`, `1h`), sizes
likewise (`64KiB`). Unknown keys, missing keys and bad values are all reported together, with file and
line, and the process exits with 78.

A **secret** is never read from YAML: it comes from the file that `NAME_FILE` names (readable by its owner
only), or from the variable `NAME`, which warns, and is refused with `--strict`.

`--check-config` prints what a process would run with, secrets hidden; `deploy/config/` has an example
for each process.
"""


def keys_of(binary):
    out = subprocess.run([ROOT / "build/release/bin" / binary, "--print-config-keys"], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in out.stdout.splitlines()]


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")


def row(key):
    notes = key["help"].rstrip(".") + "."
    if key["only"]:
        notes += " One of " + ", ".join(f"`{value}`" if value else "empty" for value in key["only"]) + "."
    if key["min"] and key["max"]:
        notes += f" `{key['min']}` to `{key['max']}`."
    elif key["min"] or key["max"]:
        notes += f" At least `{key['min']}`." if key["min"] else f" At most `{key['max']}`."
    default = "required" if key["required"] and not key["default"] else f"`{key['default']}`" if key["default"] else ""
    return f"| `{key['key']}` | `{key['env']}` | {key['type']} | {cell(default)} | {cell(notes)} |"


def page():
    parts = [HEAD]
    for binary in SERVICES:
        parts.append(f"\n## {binary}\n\n| key | environment | type | default | what |\n|---|---|---|---|---|\n"
                     + "\n".join(row(key) for key in keys_of(binary)) + "\n")
    return "".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="say whether the page is up to date; change nothing")
    if parser.parse_args().check:
        if PAGE.read_text() != page():
            print("docs/configuration.md is not what the binaries say: run make docs")
            return 1
        return 0
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
