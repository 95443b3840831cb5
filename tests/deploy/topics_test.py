"""deploy/topics.yaml says what the promises need."""
import yaml

from deploy.dev.stack import ROOT

DAY_MS = 86_400_000
CHECKPOINTS = "countersign.relay.checkpoints"   # whose newest record is all that is looked for
CONFIGS = {topic["name"]: topic["config"] for topic in yaml.safe_load((ROOT / "deploy/topics.yaml").read_text())["topics"]}


def test_compacted_topics_keep_for_days_what_a_restarted_relay_looks_for():
    compacted = {name: config for name, config in CONFIGS.items() if "compact" in config["cleanup.policy"] and name != CHECKPOINTS}
    assert compacted
    assert not [name for name, config in compacted.items() if config.get("min.compaction.lag.ms", 0) < 7 * DAY_MS]


def test_every_topic_has_the_brokers_time():
    assert {config["message.timestamp.type"] for config in CONFIGS.values()} == {"LogAppendTime"}
