"""Writes docs/kafka-acls.md from deploy/kafka-acls.yaml: who may do what, and Kafka's own commands that grant it.

usage: python -m tools.docs.acls [--check]
"""
import argparse
import pathlib
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "kafka-acls.yaml"
PAGE = ROOT / "docs" / "kafka-acls.md"
HEAD = """# Who may do what in Kafka

<!-- Printed by `make docs` from deploy/kafka-acls.yaml; edit that instead. -->

A cluster with an authorizer needs these rules and no others. `tests/deploy/acls_test.py` tries each principal on a broker that
has just them: its work succeeds, everything else is refused. auth has no principal, since it never talks to Kafka; your own
consumers get rules like those of `analytics` and `verifier`.
"""
COMMANDS = """
## As commands

As an administrator of the cluster, with its address in `BROKERS` and its credentials in `admin.properties`. With certificates the
principals are called by their subjects, for example `User:CN=relay`. Give each process its credentials by the keys
`kafka.tls_certificate` and `kafka.tls_key` or `kafka.sasl_*`, countersignctl by `KAFKA_CERTIFICATE_FILE` and `KAFKA_KEY_FILE` or
`KAFKA_MECHANISM`, `KAFKA_USER` and `KAFKA_PASSWORD_FILE`. Create the topics as `operator` before the rest starts.

```
"""


def principals():
    return yaml.safe_load(RULES.read_text())["principals"]


def together(names):
    """Operations -> the names that have just these, in their order."""
    found = {}
    for name, operations in names.items():
        found.setdefault(tuple(operations), []).append(name)
    return found


def rows():
    for principal, kinds in principals().items():
        for kind, names in kinds.items():
            for operations, same in together(names).items():
                told = ", ".join(f"`{name}`" for name in same)
                what = (kind if len(same) > 1 else kind[:-1]).replace("_", " ")
                yield f"| `{principal}` | {', '.join(operations)} | {what} {told} |"


def camel(operation):
    return "".join(word.capitalize() for word in operation.split("_"))


def commands():
    for principal, kinds in principals().items():
        for kind, names in kinds.items():
            for operations, same in together(names).items():
                for prefixed in (False, True):
                    chosen = [name.rstrip("*") for name in same if name.endswith("*") == prefixed]
                    if chosen:
                        yield ["--add", "--allow-principal", f"User:{principal}",
                               *(word for operation in operations for word in ("--operation", camel(operation))),
                               *(word for name in chosen for word in (f"--{kind[:-1].replace('_', '-')}", name)),
                               *(["--resource-pattern-type", "prefixed"] if prefixed else [])]


def wrapped(words):
    """One command over lines of a readable length."""
    lines, line = [], 'kafka-acls.sh --bootstrap-server "$BROKERS" --command-config admin.properties'
    pairs = [words[:1], *(words[at:at + 2] for at in range(1, len(words), 2))]
    for pair in (" ".join(pair) for pair in pairs):
        if len(line) + len(pair) > 115:
            lines.append(line + " \\")
            line = " "
        line += " " + pair
    return "\n".join([*lines, line])


def page():
    return (HEAD + "\n| principal | may | what |\n|---|---|---|\n" + "\n".join(rows()) + "\n" + COMMANDS
            + "\n".join(wrapped(command) for command in commands()) + "\n```\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say whether the file is what would be written")
    if not parser.parse_args().check:
        PAGE.write_text(page())
    elif not PAGE.exists() or PAGE.read_text() != page():
        print(f"{PAGE.relative_to(ROOT)} is not what tools/docs/acls.py writes: make docs")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
