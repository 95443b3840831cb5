"""YAML of a service's keys, from dotted names."""
import json


def flattened(settings, prefix=""):
    """Nested mappings as dotted names: {"a": {"b": 1}} and {"a.b": 1} are the same."""
    flat = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat.update(flattened(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat


def yaml_text(keys):
    """Keys without a value (None) are left out, so that the service's default holds."""
    tree = {}
    for name, value in sorted(keys.items()):
        if value is None:
            continue
        *sections, last = name.split(".")
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
        branch[last] = value
    return "".join(_lines(tree, ""))


def _lines(tree, indent):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield f"{indent}{name}:\n"
            yield from _lines(value, indent + "  ")
        else:
            # Scalars and lists of JSON are YAML, whatever they hold.
            yield f"{indent}{name}: {json.dumps(value)}\n"
