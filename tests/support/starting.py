"""Starts of a service that must come to nothing."""

EXIT_CONFIG = 78


def refusal(process):
    """What it said when it refused its configuration."""
    _, said = process.communicate(timeout=30)
    assert process.returncode == EXIT_CONFIG, said
    return said
