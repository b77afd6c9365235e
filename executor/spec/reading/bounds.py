"""How large and how deep the documents in TaskInfo.data may be. Pure."""

from __future__ import annotations

from typing import Final

SUBJECT: Final = "TaskInfo.data"
MAX_JSON_BYTES: Final = 1024 * 1024
"""A request to etcd is at most 1.5 MiB, so no pod of Kubernetes is larger."""
MAX_YAML_BYTES: Final = 512 * 1024
"""Reading YAML takes 20 times as long as reading JSON."""
MAX_DEPTH: Final = 32
MAX_VALUES: Final = 10_000
"""Values and keys of all documents together; pods have some hundreds."""
DOCUMENTS_MAX: Final = 100
