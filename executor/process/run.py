"""The executor's process from its start to its end. The only module that knows every adapter.

Order matters twice. The driver subscribes first, while the rest is still being loaded: its events wait in its queue
until the dispatcher takes them. And everything on the node is given back before the last updates are sent, because
Mesos may end this process on those.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from executor import log as logs
from executor.concurrency import beside, ready_threads
from executor.config import Config
from executor.config.for_executor import Ineffective, read_for_executor
from executor.errors import ExecutorError, Failure, InvalidConfig
from executor.mesos import identity
from executor.mesos.environment import TOKEN, Environment
from executor.process import initial_environment, malloc

if TYPE_CHECKING:
    from executor.pod.node import Node

log = logs.get_logger(__name__)

THREADS = min(32, (os.cpu_count() or 1) + 4)
"""For blocking calls; as many as asyncio would start one by one, as they are needed."""
OPEN_FILES = 65536
"""File descriptors, where the hard limit allows them."""
THREAD_TURN_S = 0.0005
"""How long another thread of this process may keep the interpreter while the event loop wants it. The loop gives it up
with each write of its own, some hundred times in a revocation; Python's 5 ms would add up.
"""


def run(environ: Mapping[str, str], config_path: Path | None = None) -> int:
    """The executor, from its environment to its end; `config_path` is what its command line names. The process's exit
    status: 0, or 1 with one clear line in the log.
    """
    try:
        malloc.keep_little()
        judged = read_for_executor(environ, config_path)
        identity.check(environ)  # before the log, which may go to a file of the sandbox
        logs.configure(judged.config.log)
        environment = Environment.take(os.environ)
        initial_environment.erase(TOKEN)
        identity.clean(os.environ)
        check_user(os.geteuid())
        forbid_core_dumps()
        _allow_open_files()
        _watch_children_by_pidfd()
        sys.setswitchinterval(THREAD_TURN_S)
        asyncio.run(_serve(judged.config, environment, judged.ineffective))
    except ExecutorError as error:
        log.error("the executor cannot go on", code="executor.failed", error=error)
        return 1
    except BaseExceptionGroup as failures:
        from executor.concurrency import first_of

        return _failed(first_of(failures), failures)
    except Exception as error:  # noqa: BLE001 # raised again, unless it can be explained
        return _failed(error, error)
    return 0


def _failed(error: BaseException, whole: BaseException) -> int:
    """What the node has nothing left of is not a defect: one clear line without a traceback."""
    from executor import exhausted

    known = exhausted.translated(error)
    log.error("the executor cannot go on", code="executor.failed", error=known or f"{type(error).__name__}: {error}")
    if known is None:
        raise whole
    return 1


def check_user(uid: int) -> None:
    """Raises InvalidConfig for another user than root: containerd, cgroups and namespaces are root's."""
    if uid:
        hint = "the framework's user must be root, or the agent be started with --no-switch_user"
        raise InvalidConfig(f"this program needs root, and was started as user {uid}", subject="executor", hint=hint)


def forbid_core_dumps() -> None:
    """The memory of this process has the secrets of its pods. A limit of 1 byte is below the smallest dump, and the
    kernel starts no program that takes dumps either (fs/coredump.c, which ignores a limit of 0 there).
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (1 if hard else 0, hard))


def _allow_open_files() -> None:
    """The executor and its log writer hold a few for each container."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < OPEN_FILES:
        wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def _watch_children_by_pidfd() -> None:
    """Python 3.11 starts a thread for each child process (a CNI plugin) otherwise; later ones do this by themselves.
    So it is where there are no pidfds.
    """
    from cgroups.processes import pidfds_work

    if sys.version_info < (3, 12) and pidfds_work():
        asyncio.set_child_watcher(asyncio.PidfdChildWatcher())


async def _serve(config: Config, environment: Environment, ineffective: Sequence[Ineffective]) -> None:
    from executor.log.journal import Journal
    from executor.mesos.driver import Driver
    from executor.metrics.counters import Counters

    asyncio.get_running_loop().set_default_executor(ready_threads(THREADS, "call"))
    driver = Driver(environment)
    async with AsyncExitStack() as outer:
        journal = Journal(environment.sandbox / "journal.jsonl", max_bytes=config.log.journal_max_bytes)
        outer.callback(journal.close)
        outer.callback(logs.add_sink(journal.append))
        counters = Counters()
        outer.callback(logs.add_sink(counters.append))
        if config.traces.endpoint:
            _trace(config.traces.endpoint, environment, outer)
        log.info(
            "executor starts",
            code="executor.started",
            executor=environment.executor_id,
            framework=environment.framework_id,
        )
        for each in ineffective:
            log.warning(
                "a variable takes no effect",
                code="executor.variable_ineffective",
                variable=each.variable,
                key=each.key,
                in_force=each.in_force,
                reason=each.reason,
                hint=each.hint,
            )
        await outer.enter_async_context(driver)
        from executor.control.routes import routes
        from executor.control.server import Server, socket_path
        from executor.metrics import endpoint
        from executor.metrics.loop_lag import LoopLag
        from executor.process.parts import assemble

        async with AsyncExitStack() as stack:
            from executor.process.owned import open_node

            node = await open_node(config, environment, stack)
            for turns in (node.removing, node.counting, node.owning):
                turns.start()
            dispatcher = assemble(node, environment, driver)
            socket = socket_path(config.node.run_dir, environment.container_id)
            lag = LoopLag()
            await stack.enter_async_context(beside(lag.run()))
            metrics = endpoint.Metrics(dispatcher, counters, lag)
            await stack.enter_async_context(endpoint.port(config.control.metrics_port, metrics.answer))
            await stack.enter_async_context(Server(socket, routes(dispatcher, journal, metrics.answer)))
            gc.freeze()  # what is loaded by now stays: each full collection would look at all of it again
            await dispatcher.run(partial(_keep_clean, node))
        await dispatcher.send_last_updates()


def _trace(endpoint: str, environment: Environment, stack: AsyncExitStack) -> None:
    """Send the traces of launches, as long as the stack is open."""
    from executor import __version__
    from executor.traces.exporter import exporting

    about = {
        "service.name": "mesos-pod-executor",
        "service.version": __version__,
        "service.instance.id": environment.container_id,
        "host.name": os.uname().nodename,
        "mesos.framework.id": environment.framework_id,
        "mesos.executor.id": environment.executor_id,
        "mesos.agent.id": environment.agent_id,
    }
    exporter = stack.enter_context(exporting(endpoint, about))
    stack.callback(logs.add_sink(exporter.append))


async def _keep_clean(node: Node) -> None:
    """What executors of this node left that are dead, or die while this one lives, is released. Raises Failure."""
    from executor.node.dead_executors import keep_clean
    from executor.node.reaper import reap

    async def settled() -> bool:
        """A dead executor's call may still be under way in containerd: after a reaping there is one more look."""
        try:
            result = await reap(node.config, node.containerd)
            return not result.failed and not result.owners
        except (ExecutorError, OSError) as error:
            log.warning("could not look for dead executors", code="executor.reap_failed", error=error)
            return False

    run_dir = Path(node.config.node.run_dir)
    try:
        await keep_clean(run_dir, node.owner, settled)
    except OSError as error:
        raise Failure(f"cannot be watched: {error}", subject=str(run_dir), hint="see fs.inotify in sysctl") from error
