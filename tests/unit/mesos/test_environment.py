"""What is read from the agent's environment, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.errors import InvalidConfig
from executor.mesos.environment import TOKEN, Environment

# As a real agent sets it, with a checkpointing framework.
DIRECTORY = "/var/lib/mesos/slaves/S0/frameworks/F/executors/e1/runs/e680105e-ba5c-4808-a807-0751107a0955"
REAL = {
    "MESOS_FRAMEWORK_ID": "10a68c0b-0000",
    "MESOS_EXECUTOR_ID": "e1",
    "MESOS_SLAVE_ID": "10a68c0b-S0",
    "MESOS_SLAVE_PID": "slave(1)@127.0.0.1:15051",
    "MESOS_AGENT_ENDPOINT": "127.0.0.1:15051",
    "MESOS_DIRECTORY": DIRECTORY,
    "MESOS_SANDBOX": "/mnt/mesos/sandbox",
    "MESOS_CHECKPOINT": "1",
    "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "3secs",
    "MESOS_RECOVERY_TIMEOUT": "1mins",
    "MESOS_SUBSCRIPTION_BACKOFF_MAX": "1.5secs",
    "PATH": "/bin",
}


def test_a_real_environment() -> None:
    environment = Environment.parse(REAL)
    assert (environment.framework_id, environment.executor_id, environment.agent_id) == (
        "10a68c0b-0000",
        "e1",
        "10a68c0b-S0",
    )
    assert environment.checkpoint
    assert environment.shutdown_grace_s == 3
    assert environment.recovery_timeout_s == 60
    assert environment.subscription_backoff_max_s == 1.5
    assert environment.sandbox == Path("/mnt/mesos/sandbox")
    assert environment.container_id == "e680105e-ba5c-4808-a807-0751107a0955"
    assert environment.api_path == "/slave(1)/api/v1/executor"


@pytest.mark.parametrize("value", ["0", "", "true", None])
def test_only_1_means_checkpointing(value: str | None) -> None:
    environ = {name: text for name, text in REAL.items() if name != "MESOS_CHECKPOINT"}
    assert not Environment.parse(environ if value is None else environ | {"MESOS_CHECKPOINT": value}).checkpoint


def test_without_checkpointing_the_agent_sets_less() -> None:
    few = {name: REAL[name] for name in list(REAL)[:6] if name != "MESOS_SLAVE_PID"}
    environment = Environment.parse(few)
    assert environment.sandbox == Path(DIRECTORY)
    assert environment.api_path == "/api/v1/executor"
    assert environment.recovery_timeout_s == 900
    assert environment.domain_socket is None


@pytest.mark.parametrize(
    "name", ["MESOS_FRAMEWORK_ID", "MESOS_EXECUTOR_ID", "MESOS_SLAVE_ID", "MESOS_AGENT_ENDPOINT", "MESOS_DIRECTORY"]
)
def test_what_must_be_there_is_named(name: str) -> None:
    with pytest.raises(InvalidConfig) as refusal:
        Environment.parse({**REAL, name: ""})
    assert refusal.value.subject == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MESOS_AGENT_ENDPOINT", "localhost"),
        ("MESOS_AGENT_ENDPOINT", "host:port"),
        ("MESOS_AGENT_ENDPOINT", "host:70000"),
        ("MESOS_RECOVERY_TIMEOUT", "soon"),
        ("MESOS_SUBSCRIPTION_BACKOFF_MAX", "-1secs"),
        ("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "5 parsecs"),
    ],
)
def test_what_cannot_be_understood_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidConfig) as refusal:
        Environment.parse({**REAL, name: value})
    assert refusal.value.subject == name


def test_the_token_is_taken_out_of_the_environment_and_never_shown() -> None:
    environ = {**REAL, TOKEN: "secret"}
    environment = Environment.take(environ)
    assert environment.authentication_token == "secret"
    assert TOKEN not in environ
    assert "secret" not in repr(environment)
