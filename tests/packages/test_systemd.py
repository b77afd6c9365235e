"""The units, under a real systemd: what an installation starts, what an upgrade restarts, what a removal leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packages.booted import boot
from tests.packages.conftest import Builds
from tests.packages.roots import DebianRoot

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]

HOLDER = "mesos-pod-executor-cgroup.service"
SCRIPT = f"""
cp -r /tmp/packages /root/packages
show() {{ echo "$1: $(systemctl show --value --property="$2" "$3")"; }}
dpkg -i /root/packages/here/*.deb >/dev/null
show installed ActiveState mesos-pod-executor-gc.timer
show scheduled NextElapseUSecMonotonic mesos-pod-executor-gc.timer
show name-server ActiveState mesos-pod-executor-dns.service

systemctl start containerd && systemctl start mesos-pod-executor-gc.service
show gc Result mesos-pod-executor-gc.service
show gc-slice Slice mesos-pod-executor-gc.service

systemctl start {HOLDER}
cgroup=/sys/fs/cgroup/mesospods.slice/{HOLDER}
until grep -qs . $cgroup/holder/cgroup.procs; do sleep 0.1; done
echo "in the root of the subtree: $(cat $cgroup/cgroup.procs)"
echo "delegated: $(systemctl show --value --property=Delegate {HOLDER})"
mkdir -p $cgroup/executor-1/pods
sleep 1000 &
pod=$!
echo $pod >$cgroup/executor-1/pods/cgroup.procs
holder=$(systemctl show --value --property=MainPID {HOLDER})

systemctl enable --now --quiet mesos-pod-executor-dns.service
show unconfigured-name-server Result mesos-pod-executor-dns.service
dpkg -i /root/packages/later/dist/*.deb >/dev/null
show upgraded ActiveState mesos-pod-executor-gc.timer
[ "$holder" = "$(systemctl show --value --property=MainPID {HOLDER})" ] && echo "holder: the same"
systemctl stop {HOLDER}
kill -0 $pod && echo "pod: alive"
kill -9 $pod

for target in journald syslog; do  # an executor without its agent says so, and nothing on stderr
    printf '[log]\\ntarget = "%s"\\n' $target >/tmp/$target.toml
    echo "$target on stderr: $(MESOS_EXECUTOR_ID=x mesos-pod-executor --config /tmp/$target.toml 2>&1)"
done
journalctl --sync
echo "field: $(journalctl --output=json MPE_CODE=executor.failed | grep --only-matching '"PRIORITY":"3"')"
echo "syslog: $(journalctl --output=cat _TRANSPORT=syslog | grep --only-matching '"code": "executor.failed"')"

dpkg --purge mesos-pod-executor >/dev/null
echo "left: $(systemctl list-units --all --no-legend --plain 'mesos*' | grep -v ^mesospods.slice)"
echo "links: $(find /etc/systemd -name 'mesos*')"
systemctl --failed --no-legend
echo end
"""


def test_the_life_of_the_units(root: DebianRoot, builds: Builds, tmp_path: Path) -> None:
    output = boot(root, SCRIPT, builds.here.directory.parent, tmp_path)
    told = dict(line.split(": ", 1) for line in output.splitlines() if ": " in line)
    assert output.endswith("end\n"), output
    assert told["scheduled"] not in ("", "infinity"), output
    del told["scheduled"]
    assert told == {
        "installed": "active",
        "name-server": "inactive",
        "gc": "success",
        "gc-slice": "mesospods.slice",
        "in the root of the subtree": "",
        "delegated": "yes",
        "unconfigured-name-server": "exec-condition",
        "upgraded": "active",
        "holder": "the same",
        "pod": "alive",
        "journald on stderr": "",
        "syslog on stderr": "",
        "field": '"PRIORITY":"3"',
        "syslog": '"code": "executor.failed"',
        "left": "",
        "links": "",
    }, output
