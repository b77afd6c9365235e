"""The configuration section [images]. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from executor.config.key import key


@dataclass(frozen=True)
class ImagesSection:
    """Where images come from, and how much of the disk they may use."""

    pull: bool = key(default=True, doc="Pull images from registries; false: only those that are on the node are run.")
    hosts_dir: str = key(
        "/etc/containerd/certs.d",
        "Mirrors, certificates and CAs of registries, as containerd has them: REGISTRY/hosts.toml.",
        absolute=True,
    )
    docker_config: str = key(
        "/root/.docker/config.json",
        "This node's credentials of registries, as docker login writes them.",
        absolute=True,
    )
    plain_http: tuple[str, ...] = key(
        (), "Registries that are asked over HTTP, without TLS: HOST or HOST:PORT, as images name them."
    )
    https_proxy: str = key("", "Proxy to registries that are asked over HTTPS, such as http://proxy:3128.", proxy=True)
    http_proxy: str = key("", "Proxy to registries that are asked over HTTP.", proxy=True)
    proxy_credential_file: str = key(
        "/etc/mesos-pod-executor/proxy-credential",
        "One line, user and password, for proxies that demand them; missing: none are sent.",
        absolute=True,
    )
    no_proxy: tuple[str, ...] = key(
        (), "Hosts, .domains, addresses and networks that are asked without a proxy, as NO_PROXY has them; * is all."
    )
    patience_s: float = key(
        120.0,
        "How long a pull that fails is tried again, with growing pauses, before its pod fails, seconds; 0: not at all.",
        least=0,
        most=604800,
    )
    parallel_pulls: int = key(3, "How many images an executor pulls at the same time.", least=1, most=100)
    parallel_layers: int = key(3, "How many layers of one image are fetched at the same time.", least=1, most=100)
    verifier: tuple[str, ...] = key(
        (),
        "Program that is run with name and digest before an image is fetched: it is pulled if that ends with 0.",
        program=True,
    )
    verifier_timeout_s: float = key(10.0, "A verifier that takes longer says no, seconds.", least=0.1, most=3600)
    content_dir: str = key(
        "/var/lib/containerd", "Directory on the disk that holds containerd's images.", absolute=True
    )
    reserve_percent: float = key(
        2.0,
        "A pull that would leave less of that disk free is refused, or ended, percent; 0: no bound.",
        least=0,
        most=90,
    )
    gc_high_percent: float = key(
        85.0, "Above this use of that disk unused images are removed; 100: never.", least=1, most=100
    )
    gc_low_percent: float = key(80.0, "They are removed until the use is below this.", least=0, most=100)
    gc_min_age_s: float = key(
        120.0, "An image that a launch asked for within this time is not removed, seconds.", least=0, most=604800
    )
