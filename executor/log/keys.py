"""The closed list of keys in log lines and events, each with its meaning. Pure.

One meaning, one name: a pod's id is `pod` everywhere. Units stand in the name. A key that is a word of Python takes a
trailing underscore in the call (`class_=`).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

KEYS: Final = MappingProxyType(
    {
        # every line
        "time": "when, RFC 3339 in UTC with milliseconds",
        "level": "debug, info, warning or error",
        "code": "what happened, from the table of codes",
        "message": "the same in words, constant for a code",
        "logger": "the module that wrote the line",
        "seq": "an event's number in this executor's journal, from 1",
        # whose
        "framework": "Mesos framework id",
        "executor": "Mesos executor id",
        "agent": "Mesos agent id",
        "mesos_container": "id of the executor's own Mesos container",
        "mesos_containers": "ids of several executors' Mesos containers",
        "actor": "who asked for it: a framework, a process of this node, or the pressure on it",
        "pod": "the pod's id on this node (pod-...)",
        "pods": "several pods' ids",
        "name": "the pod's name as its framework gave it",
        "namespace": "the pod's namespace, or containerd's",
        "task": "Mesos task id",
        "tasks": "several Mesos task ids",
        "container": "a container's name, or its containerd id",
        "class": "regular or revocable",
        "role": "Mesos role",
        "pid": "a process id in the host's namespace",
        "pids": "several process ids",
        "uid": "a user id",
        # what
        "state": "the state reached: a pod's, a container's, a task's (TASK_...) or a revocation's",
        "previous": "the state before",
        "trigger": "the event of the pod's life cycle that was handled",
        "effect": "the step of the pod runner that was taken",
        "reason": "why, as a Mesos REASON_... or a person's words",
        "oom": "whose memory limit was met: container, pod, role, class, executor or node",
        "exit_code": "a process's exit status; 128 + signal if it was killed",
        "update": "a status update's uuid",
        "unacknowledged": "status updates the agent has not acknowledged yet",
        "resubscribed": "whether the agent knew this executor already",
        "revocation": "a revocation's id",
        "step": "a step of the revocation's ladder",
        "outcome": "how something ended",
        "victims": "how many pods a revocation ended",
        "spared": "how many regular pods were compared and found unchanged",
        "cpus": "an amount of cpus",
        "mem_bytes": "an amount of memory",
        "freed_cpus": "cpus given back",
        "freed_mem_bytes": "memory given back",
        "grace_s": "time given to end by itself",
        "probe": "startup, liveness, readiness, health or check",
        "hook": "postStart or preStop",
        "fields": "paths of fields of a pod",
        "volumes": "names of volumes of a pod",
        "what": "the kind of object the message is about",
        "since": "when it began, RFC 3339 in UTC",
        # where
        "where": "the name or path of that object",
        "cgroup": "a cgroup's path",
        "network": "a CNI network's name",
        "netns": "path of a network namespace",
        "ifname": "a network interface in the pod",
        "ips": "addresses with prefix",
        "plugin": "a CNI plugin",
        "address": "a socket's path, or host:port",
        "path": "a file or directory",
        "method": "an RPC's or HTTP request's method",
        "command": "an argv that can be pasted",
        # configuration
        "variable": "an environment variable's name",
        "key": "a configuration key, as section.key",
        "in_force": "the value that holds",
        # how much
        "attempt": "number of a try, from 1",
        "count": "how many of what the message speaks of",
        "delay_s": "time until the next try",
        "duration_ms": "how long it took",
        "cpu_ms": "how long of it a thread ran on a CPU",
        "cpu_wait_ms": "how long of it a thread was ready and waited for a CPU",
        "since_launch_ms": "time since the pod's launch came in",
        "phases_ms": "how long each phase of a launch took",
        "size_bytes": "size",
        "percent": "part of a disk that is used",
        "image": "an image's name",
        "digest": "an image's digest",
        "weight": "a cgroup's CPU weight, on cgroup2's scale",
        "limit_bytes": "a limit on a size",
        "quota_cpus": "what the revocable pods may use together",
        "rest_cpus": "what everything but the revocable pods uses",
        "revocable_cpus": "what the revocable pods use",
        "cpu_stall_percent": "part of the time in which regular pods waited for a CPU",
        "memory_stall_percent": "part of the time in which regular pods, or all of the node, waited for memory",
        "available_bytes": "memory that the node could still give",
        "status": "an HTTP or gRPC status",
        # what went wrong
        "error": "the failure's message",
        "error_type": "the failure's class",
        "subject": "the object or field the failure is about",
        "hint": "what a person can do about it",
        "exception": "a traceback: a defect",
        "text": "foreign words: a library's or a program's output",
        "extra": "keys outside of this list, kept in production",
    }
)
