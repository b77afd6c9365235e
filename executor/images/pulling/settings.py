"""What of the configuration concerns a pull."""

from __future__ import annotations

from executor.config import Config
from executor.images.pulling.wire import Settings


def settings_of(config: Config) -> Settings:
    """The settings of every pull under this configuration."""
    section = config.images
    return Settings(
        address=config.containerd.address,
        namespace=config.containerd.namespace,
        run_dir=config.node.run_dir,
        hosts_dir=section.hosts_dir,
        docker_config=section.docker_config,
        plain_http=section.plain_http,
        http_proxy=section.http_proxy,
        https_proxy=section.https_proxy,
        proxy_credential_file=section.proxy_credential_file,
        no_proxy=section.no_proxy,
        parallel_layers=section.parallel_layers,
        verifier=section.verifier,
        verifier_timeout_s=section.verifier_timeout_s,
        content_dir=section.content_dir,
        reserve_percent=section.reserve_percent,
    )
