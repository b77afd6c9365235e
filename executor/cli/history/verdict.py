"""What became of a task, why, by whom, and what to do about it: the verdict of its timeline. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from executor.lending import rules
from executor.log.codes import CODES
from executor.mesos.status import BY_OPERATOR, PREEMPTED

Event = Mapping[str, Any]

_START_FAILED: Final = (
    "See WHY: the image, the program, the network, or containerd. `mesos-pod-executor doctor` checks them."
)
_RESTART: Final = "pod.restarting"

_OOMD: Final = "systemd-oomd"
_BY_REASON: Final = MappingProxyType(
    {
        "REASON_CONTAINER_LIMITATION_DISK": (
            "this executor: the pod was over a limit of its disk",
            "WHY says which part used how much: give the task more disk, or let it write less.",
        ),
        "REASON_MAX_COMPLETION_TIME_REACHED": (
            "the max_completion_time of its TaskInfo",
            "Give the task more time, or look at what kept it: `mesos-pod-executor logs`.",
        ),
        "REASON_EXECUTOR_TERMINATED": (
            "who ended the executor: see mesos.shutdown and executor.stopping below",
            "Nothing: the framework launches the task again.",
        ),
        "REASON_CONTAINER_LAUNCH_FAILED": ("this executor: the node could not start it", ""),
        "REASON_CONTAINER_UPDATE_FAILED": ("this executor: the node could not start it", ""),
    }
)
"""By whom, and what to do, of ends that one reason explains; empty: what the newest warning says."""
_BY_AREA: Final = MappingProxyType(
    {
        "network.": "not known: something else on this node that configures links or rules",
        "image.": "the registry, or the way to it",
        "containerd.": "containerd",
        "pod.log_": "the disk of the agent's work directory",
        "pod.probe_": "the container itself",
        "pod.child_oom": "the kernel, at a memory limit",
        "mesos.": "the agent",
        "node.": "this node",
        "disk.": "the pods of this executor",
    }
)
"""By whom, of trouble that a pod has while it runs."""


@dataclass(frozen=True)
class Verdict:
    what: str
    why: str
    actor: str
    action: str

    def document(self) -> dict[str, str]:
        """For JSON (schema/why.json)."""
        return {"what": self.what, "why": self.why, "actor": self.actor, "action": self.action}


def verdict(events: Sequence[Event], *, executor_died: bool = False) -> Verdict:
    """The verdict of a timeline (executor.log.timeline), which has one event at least. `executor_died`: without a clean
    end.
    """
    end = _newest(events, lambda event: str(event.get("outcome", "")).startswith("TASK_"))
    state = _newest(events, lambda event: _code(event).startswith("pod.") and "state" in event)
    has_ended = _code(state) in ("pod.tearing_down", "pod.ended")
    if refused := _newest(events, lambda event: _code(event) == "pod.refused"):
        sent = _newest(events, lambda event: _code(event) == "task.status" and bool(event.get("reason")))
        what = f"refused: {sent.get('state') or 'TASK_FAILED'} {sent.get('reason') or ''}".rstrip()
        return Verdict(what, _why(refused), "this executor, before the launch", _action(refused))
    if (stuck := _newest(events, lambda event: _code(event) == "pod.stuck")) and not has_ended:
        since = f" (killed at {killed['time']})" if (killed := _kill(events)) else ""
        what = f"stuck: its processes do not die of SIGKILL{since}: {', '.join(map(str, stuck.get('pids', ())))}"
        return Verdict(what, _end_why(events, end) or _why(stuck), _actor(events, end), _action(stuck))
    if executor_died and not has_ended:
        what = f"lost with its executor while it was {state.get('state') or 'launched'}"
        why = "the executor's process ended before it could record why: a SIGKILL, the kernel (out of memory), a crash"
        action = "Look into dmesg and the agent's log; the framework launches the task again."
        return Verdict(what, why, "not known to the executor", action)
    if end:
        outcome = " ".join(str(end[key]) for key in ("outcome", "reason") if end.get(key))
        what = f"{_ended(outcome, state, has_ended=has_ended)}{_lasted(events, state) if has_ended else ''}"
        return Verdict(what, _end_why(events, end), _actor(events, end), _remedy(events, end))
    if newest := _newest(events, _is_trouble):
        return _restarted(events, state) if _code(newest) == _RESTART else _going_on(events, state)
    return _going_on(events, state)


def _is_trouble(event: Event) -> bool:
    return _code(event) == _RESTART or event.get("level") in ("warning", "error")


def _restarted(events: Sequence[Event], state: Event) -> Verdict:
    """The verdict of a pod that runs, a container of which has ended at least once."""
    places = [place for place, event in enumerate(events) if _code(event) == _RESTART]
    restart, run = events[places[-1]], events[places[-2] if len(places) > 1 else 0 : places[-1]]
    container, count = restart.get("container", ""), int(restart.get("count", 0)) + 1
    times = "once" if count == 1 else f"{count} times"
    again = f"{delay_s:g} s later" if (delay_s := restart.get("delay_s")) else "at once"
    what = (
        f"{state.get('state') or 'launched'}, and container {container} has ended {times};"
        f" the last time at {restart['time']}, to be started again {again}"
    )
    why, actor = f"container {container} exited with status {restart.get('exit_code')}", "the container itself"
    action = "Read what the run before wrote: mesos-pod-executor logs"
    action = f"{action} {restart.get('pod', '')} -c {container} --previous"
    if probe := _newest(run, lambda event: _code(event) == "pod.probe_failed"):
        why = f"its {probe.get('probe')} probe failed: {_why(probe)}"
        actor = "this executor, for the probe of the container"
    elif oom := _newest(run, lambda event: _code(event) == "pod.oom"):
        why, actor, action = _why(oom), _killer(oom), _action(oom)
    elif restart.get("reason"):
        why, actor = str(restart["reason"]), "this executor"
    return Verdict(what, why, actor, action)


def _kill(events: Sequence[Event]) -> Event:
    """When its cgroup was killed; empty if it was not."""
    return _newest(events, lambda event: _code(event) == "pod.destroying")


def _lasted(events: Sequence[Event], state: Event) -> str:
    """How long a pod that was stuck lived on after SIGKILL; empty for one that was not."""
    killed = _kill(events)
    if not killed or not _newest(events, lambda event: _code(event) == "pod.stuck"):
        return ""
    dead = next((event for event in events if _code(event) == "pod.tearing_down"), state)
    begin, end = (datetime.fromisoformat(str(each["time"])) for each in (killed, dead))
    return f"; its processes lived on for {(end - begin).total_seconds():.1f} s after SIGKILL"


def _ended(outcome: str, state: Event, *, has_ended: bool) -> str:
    return f"ended: {outcome}" if has_ended else f"{state.get('state')}, and then: {outcome}"


def _going_on(events: Sequence[Event], state: Event) -> Verdict:
    what = f"{state.get('state') or 'launched'} since {(state or events[-1])['time']}"
    trouble = _newest(events, lambda event: event.get("level") in ("warning", "error"))
    if not trouble:
        return Verdict(what, "nothing went wrong", "-", "Nothing.")
    actor = next((actor for area, actor in _BY_AREA.items() if _code(trouble).startswith(area)), "not known")
    return Verdict(what, f"{_code(trouble)} at {trouble['time']}: {_why(trouble)}", actor, _action(trouble))


def _end_why(events: Sequence[Event], end: Event) -> str:
    """Without what BY WHOM says: the revocation, the person of this node."""
    why, started = _why(end), _newest(events, lambda event: _code(event) == "revocation.started")
    if started and end.get("reason") == PREEMPTED:
        return why.replace(f"revoked by {started.get('revocation')}", "revoked", 1)
    asked = _newest(events, lambda event: _code(event) == "pod.operator_kill")
    return without_actor(why, str(asked.get("actor") or ""))


def without_actor(text: str, actor: str) -> str:
    """The message of a pod that a person of this node ended, for people who read elsewhere who that was."""
    return text.replace(f"{BY_OPERATOR} {actor}", "killed on the node", 1) if actor else text


def _actor(events: Sequence[Event], end: Event) -> str:
    reason = str(end.get("reason"))
    if oom := _newest(events, lambda event: _code(event) == "pod.oom"):
        return _killer(oom)
    if reason == PREEMPTED:
        started = _newest(events, lambda event: _code(event) == "revocation.started")
        return f"{started.get('actor') or 'unknown'}, revocation {started.get('revocation', '')}".rstrip()
    if reason in _BY_REASON:
        return _BY_REASON[reason][0]
    return _operator(events, end) or (
        "the container itself"
        if end.get("outcome") != "TASK_KILLED"
        else "another task of its group"
        if "group" in _why(end)
        else "the framework's scheduler (KILL)"
    )


def _operator(events: Sequence[Event], end: Event) -> str:
    """A person of this node; empty if there was none."""
    if (asked := _newest(events, lambda event: _code(event) == "pod.operator_kill")) and BY_OPERATOR in _why(end):
        return str(asked.get("actor"))
    if asked := _newest(events, lambda event: _code(event) == "pod.operator_signal"):
        return f"{asked.get('actor')}, who sent {asked.get('signal')}; or the container itself"
    return ""


def _remedy(events: Sequence[Event], end: Event) -> str:
    reason = str(end.get("reason"))
    if oom := _newest(events, lambda event: _code(event) == "pod.oom"):
        return _action(oom)
    if reason == PREEMPTED and rules.is_broken(_why(end)):
        return "Launch it under a role that may borrow as much here, or change [lending] borrowers and quotas."
    if reason == PREEMPTED:
        return "Nothing on this node: the framework launches it again where revocable resources are offered."
    if reason in _BY_REASON:
        trouble = _newest(events, lambda event: event.get("level") in ("warning", "error"))
        return _BY_REASON[reason][1] or (_action(trouble) if trouble else _START_FAILED)
    if end.get("outcome") == "TASK_FAILED":
        return f"Read what it wrote: mesos-pod-executor logs {end.get('pod', '')}".rstrip()
    return "Nothing."


def _newest(events: Sequence[Event], fits: Any) -> Event:
    """Empty if there is none."""
    return next((event for event in reversed(events) if fits(event)), {})


def _code(event: Event) -> str:
    return str(event.get("code", ""))


def _why(event: Event) -> str:
    """With the field or the object that it is about, where the words do not name it."""
    words = str(event.get("error") or event.get("message") or "")
    text, subject = str(event.get("text") or ""), str(event.get("subject") or "")
    words = f"{words}: {text}" if text and text not in words else words
    return f"{subject}: {words}" if subject and subject not in words else words


def _action(event: Event) -> str:
    if _code(event) == "pod.oom":
        return _more_memory(str(event.get("oom")))
    code = CODES.get(_code(event))
    text = _words(str(event.get("hint") or (code.action if code else "") or "Nothing."))
    text = text[:1].upper() + text[1:]
    return text.replace("`inspect POD`", f"`mesos-pod-executor inspect {event['pod']}`") if "pod" in event else text


def _words(action: str) -> str:
    """The action of a code, for people who see a verdict and not the event."""
    return action.replace("`error`", "WHY").replace("`text`", "WHY").replace("`pids`", "WHAT")


def _killer(oom: Event) -> str:
    level = oom.get("oom")
    return _OOMD if level == _OOMD else f"the kernel, at the memory limit of the {level}"


def _more_memory(level: str) -> str:
    if level in ("container", "pod", "role"):
        return (
            f"Raise the memory limit of the {level}, or let it use less;"
            " `mesos-pod-executor top` shows what running pods use."
        )
    if level == _OOMD:
        return "The node is short of memory: place fewer pods there, or `mesos-pod-executor revoke`."
    return f"Too much runs below the limit of the {level}: place fewer pods there, or `mesos-pod-executor revoke`."
