"""deploy/compose.yaml as Compose reads it: anchors, merges, and variables with their defaults."""
import re

import yaml

from deploy.dev.stack import ROOT

FILE = ROOT / "deploy/compose.yaml"
VARIABLE = re.compile(r"\$(?:\$|\{(\w+)(?::([-?])([^}]*))?\})")


def interpolated(value, variables):
    if isinstance(value, dict):
        return {key: interpolated(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolated(item, variables) for item in value]
    if not isinstance(value, str):
        return value

    def text(match):
        name, kind, default = match.groups()
        if name is None:
            return "$"
        if variables.get(name):
            return variables[name]
        if kind == "?":
            raise KeyError(f"{name}: {default}")
        return default or ""

    return VARIABLE.sub(text, value)


def load(variables=None, text=None):
    document = yaml.safe_load(text or FILE.read_text())
    return interpolated(document, {"COUNTERSIGN_VERSION": "0.0.0", **(variables or {})})


def mounts(service):
    """Source, target and whether it is read-only, of each volume of a service."""
    found = []
    for entry in service.get("volumes", []):
        source, target, *mode = entry.split(":")
        found.append((source, target, mode == ["ro"]))
    return found
