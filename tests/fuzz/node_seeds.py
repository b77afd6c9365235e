"""Good inputs of the readers of images, plugins, and the node's files."""

from __future__ import annotations

import base64
import io
import itertools
import json
import tarfile
from collections.abc import Iterator
from typing import Any

from executor.config.sections import sections
from executor.config.values import default_file
from tests.fuzz.seeds import documents
from tests.support.images import digest_of

DIGEST = f"sha256:{'a' * 64}"
OCI = "application/vnd.oci.image"


def requests() -> Iterator[bytes]:
    """Requests to the control socket."""
    yield b"GET /v1/pods?wait=0&x= HTTP/1.1\r\nHost: x\r\n\r\n"
    second = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    yield b'POST /v1/revoke HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"a": [1]}' + second
    chunked = b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    yield b"POST /a%2Fb HTTP/1.1\r\nHost: x\r\n" + chunked
    yield b"HEAD http://h/x HTTP/1.0\r\nConnection: keep-alive\r\nUpgrade: x\r\n\r\n"


def _manifest() -> dict[str, Any]:
    layer = {"mediaType": f"{OCI}.layer.v1.tar+gzip", "digest": DIGEST, "size": 5}
    config = {"mediaType": f"{OCI}.config.v1+json", "digest": DIGEST, "size": 5}
    return {"schemaVersion": 2, "mediaType": f"{OCI}.manifest.v1+json", "config": config, "layers": [layer, layer]}


def _config() -> dict[str, Any]:
    run: dict[str, Any] = {
        "Env": ["PATH=/bin", "A"],
        "Entrypoint": ["/app"],
        "Cmd": ["-x"],
        "User": "app:www",
        "WorkingDir": "/srv",
    }
    run |= {"StopSignal": "SIGTERM", "Volumes": {"/data": {}, "cache": {}}, "Labels": {"a": "b"}}
    rootfs = {"type": "layers", "diff_ids": [DIGEST, DIGEST]}
    return {"architecture": "amd64", "os": "linux", "config": run, "rootfs": rootfs, "history": [{}]}


def image_documents() -> Iterator[bytes]:
    """An index, a manifest, a configuration."""
    manifest = {"mediaType": f"{OCI}.manifest.v1+json", "digest": DIGEST, "size": 5}
    entry = {**manifest, "platform": {"os": "linux", "architecture": "amd64", "variant": "v2"}}
    attestation = {**manifest, "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
    index = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": [entry, manifest, attestation]}
    yield from documents(index, _manifest(), _config())


def _members() -> Iterator[dict[str, Any]]:
    config = json.dumps({**_config(), "rootfs": {"diff_ids": [DIGEST]}})
    layer = "layer"
    described = [
        {"mediaType": kind, "digest": digest_of(data.encode()), "size": len(data)}
        for kind, data in ((f"{OCI}.config.v1+json", config), (f"{OCI}.layer.v1.tar", layer))
    ]
    manifest = json.dumps({"schemaVersion": 2, "config": described[0], "layers": described[1:]})
    target = {
        "mediaType": f"{OCI}.manifest.v1+json",
        "digest": digest_of(manifest.encode()),
        "size": len(manifest),
        "annotations": {"io.containerd.image.name": "docker.io/mine/app:1"},
    }
    blobs = {f"blobs/{digest_of(each.encode()).replace(':', '/')}": each for each in (config, layer, manifest)}
    yield {"oci-layout": {"imageLayoutVersion": "1.0.0"}, "index.json": {"manifests": [target]}, **blobs}
    entry = {"Config": "config.json", "RepoTags": ["app:1", "b/c:2"], "Layers": ["x/layer.tar"]}
    yield {"manifest.json": [entry], "config.json": config, "x/layer.tar": layer}


def archived_documents() -> Iterator[bytes]:
    """Members of an archive and their documents."""
    yield from documents(*_members())


def archives() -> Iterator[bytes]:
    """Archives, plain and compressed."""
    for members, mode in itertools.product(_members(), ("w", "w:gz", "w:xz")):
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode=mode, format=tarfile.PAX_FORMAT) as tar:
            for name, document in members.items():
                content = (document if isinstance(document, str) else json.dumps(document)).encode()
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            link = tarfile.TarInfo("link.json")
            link.type, link.linkname = tarfile.SYMTYPE, "config.json"
            tar.addfile(link)
        yield made.getvalue()


def accounts() -> Iterator[bytes]:
    """A user, passwd and group."""
    for user in (b"app:www", b"1000", b"root", b""):
        yield user + b"\n%\n# x\nroot:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:::\n%\nwww:x:33:app,other\n"


def cni_results() -> Iterator[bytes]:
    """A result of each version, and an error."""
    route = {"dst": "0.0.0.0/0", "gw": "10.1.0.1"}
    dns = {"nameservers": ["10.1.0.1"], "domain": "x", "search": ["y"], "options": ["ndots:1"]}
    interfaces = [{"name": "br0", "mac": "02:00:00:00:00:01"}, {"name": "eth0", "sandbox": "/netns", "mac": "x"}]
    ip = {"address": "10.1.0.5/24", "gateway": "10.1.0.1", "interface": 1}
    new = {"interfaces": interfaces, "ips": [ip, {"address": "fd00::5/64"}], "routes": [route], "dns": dns}
    yield from documents(
        {"cniVersion": "1.1.0", **new},
        {"cniVersion": "1.0.0", **new},
        {"cniVersion": "0.4.0", **new, "ips": [{"version": "4", **ip}]},
        {"cniVersion": "0.2.0", "ip4": {"ip": "10.1.0.5/24", "gateway": "10.1.0.1", "routes": [route]}, "dns": dns},
        {"cniVersion": "1.0.0", "code": 11, "msg": "again", "details": "later"},
    )


def cni_configs() -> Iterator[bytes]:
    """A list, and a single plugin as the Mesos agent has it."""
    ranges = [[{"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.5"}]]
    ipam = {"type": "host-local", "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "/ipam"}
    bridge = {"type": "bridge", "bridge": "br0", "ipMasq": True, "isGateway": True, "ipam": ipam}
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}
    yield from documents(
        {"cniVersion": "1.0.0", "cniVersions": ["0.4.0", "1.0.0"], "name": "net", "plugins": [bridge, portmap]},
        {"cniVersion": "0.3.1", "name": "net", **bridge},
        {"name": "net", "type": "mesos-cni-port-mapper", "excludeDevices": ["br0"], "chain": "M", "delegate": bridge},
    )


def journals() -> Iterator[bytes]:
    """The events of a pod's life."""
    common = {"level": "info", "pod": "pod-1", "task": "web.1", "class": "revocable", "role": "*"}
    codes = ("accepted", "pulling", "starting", "running", "restarting", "stopping", "killed", "ended")
    lines = [
        {"seq": seq, "time": f"2026-01-01T00:00:{seq:02}.000Z", "code": f"pod.{code}", "event": "x", **common}
        for seq, code in enumerate(codes, 1)
    ]
    lines[0] |= {"name": "web", "namespace": "default", "tasks": ["web.1"]}
    lines[1] |= {"image": "app:1"}
    lines[5] |= {"revocation": "r1", "state": "TASK_GONE", "reason": "REASON_CONTAINER_PREEMPTED", "pids": [5]}
    lines[7] |= {"outcome": "TASK_GONE", "exit_code": 137, "error": "gone"}
    yield b"\n".join(documents(*lines))
    yield from documents(lines[0], lines[5])


def config_files() -> Iterator[bytes]:
    """The default file with every key in force."""
    text = default_file(sections())
    yield text.encode()
    yield "\n".join(line.removeprefix("# ") if " = " in line else line for line in text.splitlines()).encode()
    yield b'[policy]\ndefault = "baseline"\n[policy.roles]\n"eng/dev" = { level = "restricted", networks = ["x"] }\n'
    yield b'[roles.limits]\n"eng" = "cpus:1;mem:64"\n[pods]\nstart_timeout_s = 1.5\n'


def config_variables() -> Iterator[bytes]:
    """A variable for each kind of value."""
    yield b"PODS_START_TIMEOUT_S=1.5"
    yield b"PRESSURE_ENABLED=true"
    yield b"ROLES_LIMITS=a=cpus:1;mem:64"
    yield b'POLICY_ROLES=eng={ level = "restricted", host_paths = ["/data:ro"] }'
    yield b"CNI_PLUGIN_DIRS=/opt/cni/bin,/usr/lib/cni"


def hosts_files() -> Iterator[bytes]:
    """hosts.toml as containerd's documents have it."""
    yield (
        b'server = "https://docker.io"\n[host."https://mirror.example:5000/v2/x"]\ncapabilities = ["pull", "resolve"]\n'
        b'ca = ["/a.crt", "b.crt"]\nclient = [["a.cert", "a.key"]]\nskip_verify = true\noverride_path = true\n'
        b'[host."https://mirror.example:5000/v2/x".header]\nx-a = ["1", "2"]\ny = "z"\n'
    )
    yield b'ca = "/a.crt"\nclient = "/b.pem"\n[host."http://h"]\n'


def docker_configs() -> Iterator[bytes]:
    """config.json, and the older form."""
    auth = {"auth": base64.b64encode(b"user:secret").decode()}
    auths = {"https://index.docker.io/v1/": auth, "r.example:5000/a": {"username": "u", "password": "p"}, "*.x": {}}
    yield from documents(
        {"auths": auths, "credsStore": "pass", "credHelpers": {"gcr.io": "gcr"}, "HttpHeaders": {}},
        {"r.example": {**auth, "identitytoken": "t"}},
    )


def registry_words() -> Iterator[bytes]:
    """Challenges and names of images."""
    yield b'Bearer realm="https://a/token",service="r\\"x",scope="repository:a/b:pull", Basic realm=x'
    yield f"r.example:5000/a/b_c.d:v1@{DIGEST}".encode()
    yield b"busybox"
    yield b"index.docker.io/library/busybox"


def node_texts() -> Iterator[bytes]:
    """resolv.conf, and a note."""
    yield b"# x\nnameserver 10.0.0.1\nnameserver ::1%eth0\nsearch a b\ndomain c\noptions ndots:2 edns0\n"
    yield json.dumps({"framework": "f", "task": "t", "name": "n", "agent": "a", "executor": "e", "role": "r"}).encode()


def cgroup_names() -> Iterator[bytes]:
    """Names of groups and mounts."""
    yield b"a b"
    yield "ü \\040".encode()
