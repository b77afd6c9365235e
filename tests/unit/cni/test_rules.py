"""Which rules of a table are taken away: those of one attachment, and nothing else."""

from __future__ import annotations

from executor.cni.rules.lines import chain_names
from executor.cni.rules.sweep import made_by, removal

MASQUERADE, PORTS = chain_names("podnet", "pod-one")
OTHER, _ = chain_names("podnet", "pod-one1")
SAVED = f"""*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:{MASQUERADE} - [0:0]
:{OTHER} - [0:0]
:{PORTS} - [0:0]
-A POSTROUTING -s 10.1.0.2/32 -m comment --comment "name: \\"podnet\\" id: \\"pod-one\\"" -j {MASQUERADE}
-A POSTROUTING -s 10.1.0.3/32 -m comment --comment "name: \\"podnet\\" id: \\"pod-one1\\"" -j {OTHER}
-A POSTROUTING -s 10.2.0.3/32 -m comment --comment "name: \\"podnet2\\" id: \\"pod-one\\"" -j MASQUERADE
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"podnet\\" id: \\"pod-one\\"" -j {PORTS}
-A {MASQUERADE} -d 10.1.0.0/16 -m comment --comment "name: \\"podnet\\" id: \\"pod-one\\"" -j ACCEPT
-A {PORTS} -p tcp --dport 80 -j DNAT --to-destination 10.1.0.2:80
COMMIT
"""


def test_only_what_is_owned_goes() -> None:
    assert removal(SAVED, "podnet", "pod-one").splitlines() == [
        "*nat",
        f'-D POSTROUTING -s 10.1.0.2/32 -m comment --comment "name: \\"podnet\\" id: \\"pod-one\\"" -j {MASQUERADE}',
        f'-D CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"podnet\\" id: \\"pod-one\\"" -j {PORTS}',
        f"-F {MASQUERADE}",
        f"-F {PORTS}",
        f"-X {MASQUERADE}",
        f"-X {PORTS}",
        "COMMIT",
    ]


def test_nothing_to_do() -> None:
    assert removal(SAVED, "podnet", "pod-three") == ""
    assert removal("", "podnet", "pod-one") == ""


def test_a_chain_without_a_rule_goes_too() -> None:
    assert (
        removal(f"*nat\n:{PORTS} - [0:0]\nCOMMIT\n", "podnet", "pod-one") == f"*nat\n-F {PORTS}\n-X {PORTS}\nCOMMIT\n"
    )


def test_who_makes_rules() -> None:
    assert made_by({"plugins": [{"type": "bridge", "ipMasq": True}]})
    assert made_by({"plugins": [{"type": "bridge"}, {"type": "portmap"}]})
    assert not made_by({"plugins": [{"type": "bridge", "ipMasq": False}]})
