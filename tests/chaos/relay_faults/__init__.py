"""Every fault that the relay must survive, one after the other, under load: python -m tests.chaos.relay_faults.run."""
