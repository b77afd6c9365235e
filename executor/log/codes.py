"""Stable codes of everything the executor reports: one line here per event. Pure.

A code is what a person greps for, an alert matches and `mesos-pod-executor events` shows; its wording may be
improved, its name and level stay. Every log line of INFO and above carries one, and every code below is used (both
are tested).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final


class Level(IntEnum):
    """The numbers of Python's logging: INFO one line per transition, WARNING will be retried, ERROR a human should
    look.
    """

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


@dataclass(frozen=True, slots=True)
class Code:
    """`meaning` says what happened; `action` what an operator does about it, empty where nothing is to be done.
    `repeated` is the level of one that comes again and again, where that differs.
    """

    level: Level
    meaning: str
    action: str = ""
    repeated: Level | None = None

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels that its events can have, as in the journal."""
        return tuple(level.name.lower() for level in (self.level, self.repeated) if level is not None)


def _info(meaning: str) -> Code:
    return Code(Level.INFO, meaning)


def _warning(meaning: str, action: str) -> Code:
    return Code(Level.WARNING, meaning, action)


def _error(meaning: str, action: str) -> Code:
    return Code(Level.ERROR, meaning, action)


CODES: Final = MappingProxyType(
    {
        "executor.started": _info("The process has read its configuration and environment."),
        "executor.variable_ineffective": _warning(
            "A framework set a variable that is the operator's, or one looser than the operator's value.",
            "Nothing: `in_force` holds. See `hint` for the framework; `check-config --as-executor` shows it earlier.",
        ),
        "executor.runtime": _info(
            "The program that containerd's shim runs containers with, if it is not runc, and why."
        ),
        "executor.devices_open": _warning(
            "The kernel takes no program that keeps devices of the node closed to containers: those that runc allows"
            " stay open.",
            "See `error`. With runc that is /dev/net/tun (10:200).",
        ),
        "executor.recovered": _info("What dead executors left on the node was reaped."),
        "executor.reap_failed": _warning(
            "Something of a dead executor could not be released.", "See `error`; run `gc`."
        ),
        "executor.cgroups_left": _warning("The executor's own cgroups could not be removed.", "`gc` removes them."),
        "executor.left_overs": _warning(
            "The executor has ended in order, but objects of it are still on the node.",
            "`gc` releases it; see `error`.",
        ),
        "executor.unknown_owner": _warning(
            "Something on the node carries an executor's name, but nothing proves that this executor is dead.",
            "See `error`. Nothing is touched; if it is dead, run `gc --assume-dead` with its id.",
        ),
        "executor.no_watcher": _warning(
            "No process will start the reaper when this executor ends.",
            "Nothing at once: other executors and the timer of `gc` release what it leaves, but later.",
        ),
        "executor.event_refused": _warning("An event from the agent could not be carried out.", "See `error`."),
        "executor.launch_dropped": _warning(
            "A launch came while the executor ended: TASK_DROPPED (or TASK_LOST), REASON_EXECUTOR_TERMINATED.",
            "Nothing: the framework launches it again.",
        ),
        "executor.message_refused": _warning(
            "A framework's message could not be read.", "Correct the framework: `error`."
        ),
        "executor.defect": _error(
            "A defect while handling an event; other pods are not affected.", "Report the traceback."
        ),
        "executor.loop_late": _warning(
            "The executor's event loop was held up for a second or more; logged once a minute.",
            "`cpu_wait_ms` near `duration_ms`: the node is out of CPU, or the executor's container is throttled."
            " `cpu_ms` near it: report what it was asked to do. Neither: it slept in a system call; see what hangs.",
        ),
        "executor.log_writer_replaced": _warning(
            "The process that writes the containers' logs ended or was stuck, and was started again; `size_bytes` of"
            " output that it had read are lost.",
            "See `reason`; look for what killed or stopped it.",
        ),
        "executor.log_writer_failed": _error(
            "The process that writes the containers' logs cannot be started; tried again. Containers wait once"
            " they have written some 256 KiB.",
            "See `error`: is the node out of memory or processes?",
        ),
        "executor.log_writer_stuck": _warning(
            "At the executor's end its log writer still hung in a write and was killed.",
            "Look at the disk of the agent's work directory.",
        ),
        "executor.stopping": _info("SHUTDOWN, a signal or the last pod's end: pods are being ended."),
        "executor.stopped": _info(
            "Every pod has ended and every update is acknowledged, or the grace is over: see `outcome`."
        ),
        "executor.updates_lost": _warning(
            "The executor ended before the agent had acknowledged `unacknowledged` updates; the agent answers for those"
            " tasks.",
            "Look at the agent: it was away, or did not answer.",
        ),
        "executor.failed": _error(
            "The executor cannot go on.", "See `error` and `hint`; run `mesos-pod-executor doctor`."
        ),
        "pod.resized": _info("A framework gave `containers` of the pod other amounts of cpu or memory."),
        "pod.volumes_updated": _info("A framework sent new ConfigMaps or Secrets: the files of `volumes` show them."),
        "task.status": _info("A status update was made; the journal has it before the agent receives it."),
        "pod.accepted": _info("A launch was read and became a pod."),
        "pod.without_effect": _info("Fields of the pod were accepted that change nothing on a Mesos agent: `fields`."),
        "pod.refused": _warning(
            "A launch cannot work here: TASK_FAILED; the reason says whether task, policy or node is at fault.",
            "Correct what `error` names.",
        ),
        "pod.duplicate": _warning("A launch of a task that is here already; ignored.", "Look at the framework."),
        "pod.unknown": _warning(
            "A KILL of a task that is not here; answered with TASK_GONE.", "Look at the framework."
        ),
        "pod.setting_up": _info("Its network, snapshots and containers are being made."),
        "pod.initializing": _info("Its init containers run, one after the other."),
        "pod.starting": _info("Its containers are being started."),
        "pod.running": _info("Every container runs."),
        "pod.container_exited": _info("A container's first process ended."),
        "pod.exit_untold": _warning(
            "A container's first process ended, and containerd does not report it: the kernel's answer counts.",
            "Look for a shim that hangs: state T or D in ps.",
        ),
        "pod.oom": _warning(
            "The kernel, or systemd-oomd, killed a container for memory; `oom` says whose limit was met.",
            "container, pod, role: raise its limit. class, executor, node, systemd-oomd: the node is too full.",
        ),
        "pod.child_oom": _warning(
            "The kernel killed `count` processes of a container for memory, and not its first process.",
            "As for `pod.oom`. The container itself decides whether it goes on: read what it writes.",
        ),
        "pod.hook": _info("A hook of a container has run: `hook` is preStop or postStart."),
        "pod.hook_failed": _warning(
            "A hook of a container failed or could not be run: after a preStop hook the container is stopped as"
            " asked, after a postStart hook it is stopped too.",
            "See `error`.",
        ),
        "pod.probe_passes": _info("A probe of a container passes now: `probe` says which."),
        "pod.probe_fails": _info("A probe of a container fails now, `count` times in a row; the container runs on."),
        "pod.probe_failed": _warning(
            "A probe of a container has failed `count` times in a row: the container is stopped, and its restart policy"
            " decides what follows.",
            "See `error`, and what the container wrote.",
        ),
        "pod.probe_error": _warning(
            "A probe of a container could not be asked, which says nothing about the container (of Mesos' checks it is"
            " a failure); tried again.",
            "See `error`: is the command in the image?",
        ),
        "pod.restarting": Code(
            Level.INFO,
            "A container has ended and is started again after `delay_s`; `count` is how often it was restarted before."
            " A warning from the third restart on.",
            "See `why POD`, and what the run before wrote: `logs POD --previous`.",
            repeated=Level.WARNING,
        ),
        "pod.stop_signal_unknown": _warning(
            "The STOPSIGNAL of an image is not a signal: SIGTERM is sent.", "Repair the image, or set stopSignal."
        ),
        "pod.operator_kill": _info("A person ends the pod (`kill`): `actor` says who, `reason` why."),
        "pod.operator_signal": _info("A person sends a signal to the first processes of containers (`kill -s`)."),
        "pod.stopping": _info("It was asked to end; its grace runs."),
        "pod.destroying": _info("Its cgroup is being killed."),
        "pod.tearing_down": _info("Nothing of it runs; what it held is being released."),
        "pod.ended": _info("Nothing of it is left, or what is left was named by `pod.leaked`."),
        "node.exhausted": _warning(
            "Threads, memory, descriptors or space on a disk are used up; what needed them failed, and nothing else.",
            "See `hint`.",
        ),
        "node.file_unreadable": _warning(
            "A file of the node from which pods get their names cannot be read: they start without it.",
            "See `error` and `path`.",
        ),
        "pod.users_unknown": _warning(
            "An image's /etc/passwd or /etc/group cannot be used: its container runs as the given numbers, with "
            "group 0 where none is, and without additional groups.",
            "Repair the image, or give runAsUser and runAsGroup.",
        ),
        "pod.start_failed": _warning(
            "A container could not be started, or not again after its end; restartPolicy says what follows.",
            "See `error`.",
        ),
        "pod.leaked": _warning(
            "Something of the pod could not be removed; tried again for an hour, and at the executor's end.",
            "See `error`. After the executor's end the next one or `gc` removes it.",
        ),
        "pod.make_again": _warning(
            "containerd was away while a container was made or started: made again within [pods] start_timeout_s.",
            "Did containerd restart? See `error`.",
        ),
        "pod.shim_killed": _warning(
            "A shim does not answer and its containers have no process left, or it does not begin to start a container"
            " of a pod that must end: it is killed, and containerd cleans up.",
            "Look for a shim or a runc that was stopped (state T in ps) or waits for a disk (D).",
        ),
        "pod.released": _info("The objects of the pod that could not be removed at first are removed now."),
        "pod.kill_failed": _warning("The pod's cgroup could not be killed; tried again.", "See `error`."),
        "pod.stuck": _error(
            "The pod's processes do not end after SIGKILL.", "Look for state D in `pids`: storage, a driver."
        ),
        "pod.pulling": _info(
            "The pod waits for an image; nothing of it is there yet, and [pods] start_timeout_s does not run."
        ),
        "pod.fetching": _info(
            "The URIs of a Mesos task are fetched into its sandbox; [pods] start_timeout_s does not run meanwhile."
        ),
        "image.pulling": _info("An image is being fetched from its registry; pods that need it wait."),
        "image.pulled": _info("An image is on this node and unpacked; `size_bytes` came over the network."),
        "image.pull_failed": _warning(
            "An image could not be pulled; tried again after `delay_s`, for as long as [images] patience_s.",
            "See `error`: the name, the credentials, the registry.",
        ),
        "image.refused": _warning(
            "An image was pulled and cannot be used, or the operator's verifier does not allow it; its pods fail.",
            "See `error`.",
        ),
        "image.removed": _info("An unused image was removed from a disk that is too full; it can be pulled again."),
        "image.disk_full": _warning(
            "The disk of images is fuller than [images] gc_high_percent, and no unused image is left to remove.",
            "Look at what else is on it; `mesos-pod-executor images ls`.",
        ),
        "image.gc_failed": _warning("Unused images could not be removed; tried again.", "See `error`."),
        "pod.log_rotated": _info(
            "A container's log file reached [pods] log_max_bytes; `size_bytes` went to older files."
        ),
        "pod.log_dropped": _warning(
            "Output of a container was lost, `size_bytes` since the last such event: the disk refuses it or does not"
            " answer. The container runs on; logged again each minute while it lasts.",
            "See `error`: is the disk of the agent's work directory full?",
        ),
        "pod.log_recovered": _info(
            "Output of a container is written again, or the container has ended; `size_bytes` were lost in all."
        ),
        "pod.logs_removed": _info(
            "The log files of a pod that has ended were removed; `reason` is the limit: age, count or space."
        ),
        "pod.logs_kept": _warning(
            "The log files of a pod that has ended cannot be removed; tried again.", "See `error`."
        ),
        "pod.disk_limit": _warning(
            "The pod is over a limit of its disk; with [disk] enforce it ends: REASON_CONTAINER_LIMITATION_DISK.",
            "`error` says which part used how much: give the task more disk, or let it write less.",
        ),
        "pod.exec": _info(
            "A person runs a command in a container (`exec`). `command` is its first word: arguments may be secrets."
        ),
        "pod.illegal_transition": _error("A defect: an event that cannot happen in this state; ignored.", "Report it."),
        "pod.defect": _error(
            "A defect in a step of this pod; it ends as failed, others live.", "Report the traceback."
        ),
        "revocation.started": _info("A revocation was asked for and is being carried out."),
        "revocation.refused": _warning(
            "A revocation was refused; nothing was changed.", "See `error`; correct the request."
        ),
        "revocation.dry_run": _info("A dry run listed the pods that a revocation would end; nothing was changed."),
        "revocation.exercise": _info("A revocation was rehearsed: its victims were stopped for a moment."),
        "revocation.step": _info("One step of the ladder was taken, for all victims at once."),
        "revocation.notice_failed": _warning(
            "A pod could not be given notice; it is ended without one.", "See `error`: the sandbox's disk?"
        ),
        "revocation.kill_failed": _warning(
            "A subtree could not be killed in one step; its pods are killed one by one.", "See `error`."
        ),
        "revocation.stuck": _error("Victims do not end after SIGKILL.", "See `pod.stuck` and revocation.last_step."),
        "revocation.victim": _info("What a revocation did to one pod, as in its receipt."),
        "revocation.unstuck": _info("Victims that were stuck have ended; the receipt is sent again."),
        "revocation.regular_changed": _error(
            "A regular pod changed during a revocation.", "Report it with the receipt."
        ),
        "revocation.receipt": _info(
            "A revocation is over: its victims, what was freed, and whether the regular pods are unchanged."
        ),
        "pressure.squeezed": _info("The node is short of what `reason` says: revocable pods get less of it."),
        "pressure.revoked": _info("Squeezing did not suffice: as many revocable pods as are needed are revoked."),
        "pressure.eased": _info("The pressure has passed; the squeeze is kept for `delay_s`."),
        "pressure.returned": _info("The pressure rose again before the squeeze was over."),
        "pressure.released": _info("The squeeze is over: revocable pods may use what is there."),
        "pressure.blind": _warning(
            "The kernel reports no stalls, so the node is measured each `delay_s`. Without PSI lack of CPU is hidden.",
            "Boot with psi=1; mount cgroup2, at /sys/fs/cgroup/unified beside v1.",
        ),
        "pressure.squeeze_failed": _warning(
            "The kernel refused a limit of the squeeze; tried again.", "See `error`: has the container a quota itself?"
        ),
        "pressure.revoke_failed": _warning("A revocation could not be begun.", "See `error`."),
        "pressure.defect": _error(
            "A defect while watching for pressure; it goes on after a pause.", "Report the traceback."
        ),
        "mesos.subscribed": _info("The agent sends events; what it had not acknowledged went with the subscription."),
        "mesos.disconnected": _warning(
            "The agent is gone: pods go on, updates are kept, subscribing is tried again.", "Look at the agent."
        ),
        "mesos.subscribe_refused": _error(
            "The agent refuses the subscription; it is tried again.",
            "See `status`, `text` and the agent's log.",
        ),
        "mesos.abandoned": _error("The agent did not come back in time; the executor ends.", "Look at the agent."),
        "mesos.shutdown": _info("The agent demands that this executor ends, or has been away for too long."),
        "mesos.agent_error": _error("The agent sent an ERROR event.", "See `text`."),
        "mesos.event_unknown": _warning(
            "An event of a type unknown here was skipped.", "Is the agent newer than this?"
        ),
        "mesos.launch_repeated": _warning("The agent launched tasks that it had launched before.", "See `tasks`."),
        "mesos.call_delayed": _warning("The agent does not take an update or message; it is kept.", "See `error`."),
        "mesos.update_reduced": _error(
            "The agent refuses a status update as it is; it goes without reason, labels, networks and data.",
            "Report it: `text`.",
        ),
        "mesos.update_after_end": _error(
            "An update of a task came after its terminal one and was not sent.", "Report it: it is a defect."
        ),
        "mesos.update_refused": _error("The agent will never take this status update; it is dropped.", "Report it."),
        "mesos.message_refused": _error("The agent will never take this message; it is dropped.", "See `text`."),
        "mesos.message_dropped": _warning("Too many messages wait; the oldest was dropped.", "Look at the agent."),
        "mesos.driver_failed": _error(
            "A defect ended the link to the agent; the executor ends.", "Report the traceback."
        ),
        "containerd.unavailable": _warning("containerd does not answer; tried again.", "Is it running? See `address`."),
        "containerd.no_events": _warning(
            "The stream of containerd's events cannot be opened; tried again.", "Is containerd running? See `error`."
        ),
        "containerd.resync": _warning(
            "The stream of containerd's events was interrupted; every running container is looked up.",
            "Did containerd restart?",
        ),
        "cgroup.no_shims": _warning(
            "No cgroup could be made for shims: they disturb regular pods more, and lost ones are not found.",
            "See `error` and [cgroups] root.",
        ),
        "cgroup.refused": _warning(
            "A CPU weight could not be changed; launches or ends of pods take longer.", "Look at `cgroup`."
        ),
        "cgroup.weight_restored": _warning(
            "The agent had lowered the CPU weight of the executor's container, and with it that of regular pods.",
            "Start the agent with --no-revocable_cpu_low_priority.",
        ),
        "cgroup.limit_kept": _warning(
            "A class keeps a memory limit above its pods' sum, because ended pods left files in memory; tried again.",
            "Look for files in memory that pods shared (a hostPath on tmpfs).",
        ),
        "network.rules_restored": _warning(
            "Port or masquerade rules of a pod were erased (by a firewall's reload); they are put back.",
            "Make the firewall's reload leave the rules of others alone: see `text`.",
        ),
        "network.rules_lost": _warning(
            "Port or masquerade rules of a pod were erased and cannot be put back; tried again.",
            "See `text` and `error`; launch the pod again if it stays so.",
        ),
        "network.rules_unread": _warning(
            "The node's port and masquerade rules cannot be read; whether they are erased is not seen.",
            "See `error`; is iptables there?",
        ),
        "network.mismatch": _warning(
            "The kernel does not have what a pod's CNI plugins said they made; the pod runs as it is.",
            "See `text`; look at the plugins of the network, and at `kernel_network` of `inspect POD`.",
        ),
        "network.changed": _warning(
            "The network of a running pod was changed: its link, address, route, or the bridge.",
            "See `text`. Find what else configures links on this node; launch the pod again if it stays so.",
        ),
        "network.restored": _info("A pod's network is again as its CNI plugins made it."),
        "network.unobserved": _warning(
            "A pod's network cannot be compared with the kernel; it runs on.", "See `error`."
        ),
        "disk.defect": _error(
            "A defect while counting what pods use of the disk; it goes on after a pause.", "Report the traceback."
        ),
        "disk.quota": _warning(
            "The sandbox nears the quota at which the agent ends the executor, and no pod can be ended for it.",
            "Give the ExecutorInfo more disk: its own files and logs of ended pods count too.",
        ),
        "disk.uncounted": _warning(
            "What a pod uses of the disk cannot be counted; tried again. Its limits are not enforced meanwhile.",
            "See `error`.",
        ),
        "dns.following": _info("The synchroniser has a source's whole state; names follow it from now on."),
        "dns.unpublished": _warning(
            "A pod's names could not be published; it runs without them.", "See `error` and [dns] hosts_dir."
        ),
        "dns.refused": _warning(
            "A task's status claims an address or names that it may not have; the rest of it is published.",
            "See `text`: is [roles] namespace_to_role right? Else ask the owner of `framework`.",
        ),
        "dns.clash": _warning(
            "A task claims names that a task of another role has; it gets them when that task ends.",
            "Rename one of both, or give the namespace to one role: [roles] namespace_to_role.",
        ),
        "dns.behind": _warning(
            "The synchroniser's source fails, or a file cannot be written; tried again. Names stay as they were.",
            "See `error`, `hint` and [dns] mesos.",
        ),
        "lending.started": _info("The lender has its accounts and begins to ask agent, master and executors."),
        "lending.ended": _info("The lender ends on request: its offer is withdrawn, loans stay."),
        "lending.subscribed": _info("The agent has taken the lender's resource provider: `what` is its id."),
        "lending.following": _info("The master announces tasks to the lender from now on."),
        "lending.offer": _info("The total that the lender offers as revocable on this node has changed."),
        "lending.borrowed": _info("A task holds revocable resources of this node: a loan."),
        "lending.asked": _info("An executor is asked to return a loan; `reason` names the owner's task or the rule."),
        "lending.freed": _info("An executor ended the pods whose loans return; `revocation` is the receipt's id."),
        "lending.returned": _info("A task that borrowed has ended."),
        "lending.refused": _warning(
            "An executor could not be asked to return loans; others return in their place, and it is asked again.",
            "See `error`; `ps` shows whether the executor answers.",
        ),
        "lending.unreachable": _warning(
            "A loan cannot be asked back: its task is a command of Mesos' own executor, its executor does not answer,"
            " or its processes do not end.",
            "End the task through its scheduler. Let only frameworks that use this executor have REVOCABLE_RESOURCES.",
        ),
        "lending.mixed": _warning(
            "An executor has loans beside regular tasks: without a lender, a launch in it would end all of them.",
            "Let the framework run its revocable pods in an executor of their own: `executor-info --class revocable`.",
        ),
        "lending.unreserved": _warning(
            "Nothing is reserved on this node for the owner `role`, so nothing of it can be offered.",
            "Is the role spelled as in the agent's --resources? If it has its reservations elsewhere, ignore this.",
        ),
        "lending.unreadable": _warning(
            "An executor's answer about its revocable pods cannot be read; its pods count as of priority 0.",
            "Is it of another version? See `error`.",
        ),
        "lending.defect": _error(
            "A defect while the lender followed a source; it goes on after a pause.", "Report the traceback."
        ),
        "lending.behind": _warning(
            "Agent, master, executors or the resource provider fail; tried again. The offer does not grow.",
            "See `what`, `error` and `hint`.",
        ),
        "lending.unwritten": _warning(
            "The ledger cannot be written; loans are returned meanwhile, and entries are written later.",
            "Free space in [node] state_dir.",
        ),
        "control.listening": _info("The control socket answers commands."),
        "control.request": _info("A command that changes something came over the control socket."),
        "control.refused_peer": _warning(
            "A process of another user tried the control socket.", "Look at `uid` and `pid`."
        ),
        "control.crowded": _warning(
            "More connections than the control socket serves.", "End clients that follow events."
        ),
        "control.bug": _error("A defect while answering a command; nothing else is affected.", "Report the traceback."),
        "metrics.port_failed": _warning(
            "The TCP port of /metrics cannot be used; the control socket has them too.",
            "Is it another executor's? Use `metrics --textfile`.",
        ),
        "traces.lost": _warning(
            "`count` traces of launches were not accepted by their receiver, or found the queue full.",
            "See `error`; look at [traces] endpoint and its receiver. Launches do not wait for it.",
        ),
        "log.level": _info("The log level was changed at run time."),
        "journal.gap": _warning("A follower asked for events that are not kept any more.", "Read journal.jsonl."),
        "journal.write_failed": _warning(
            "The journal's file cannot be written; tried again.", "Free space in the sandbox."
        ),
        "library.warning": _warning("A library warned.", "See `text`."),
        "library.error": _error("A library, or a task of the event loop that is not awaited, failed.", "Report it."),
    }
)
