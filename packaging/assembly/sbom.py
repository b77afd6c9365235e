"""The bill of materials: what is bundled, in which version and under which licence (CycloneDX 1.5, JSON).

The distributions that contain compiled code (grpcio, protobuf, msgspec, psutil, pyyaml) bring libraries of their own
in it; these are part of the named distribution and not listed one by one.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

from assembly.distributions import Bundled

_NAMESPACE = uuid.UUID("a3f2f0d4-43f0-5b43-9a0e-2f5f0c2f6b7d")


def document(distributions: Sequence[Bundled], *, version: str, tree_digest: str, timestamp: str) -> str:
    """`tree_digest` is the sha256 that names the build; the serial number follows from it."""
    own = _component("mesos-pod-executor", version, "Apache-2.0", "application")
    own["hashes"] = [{"alg": "SHA-256", "content": tree_digest}]
    components = [_bundled(one) for one in distributions]
    bill = {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, tree_digest)}",
        "version": 1,
        "metadata": {"timestamp": timestamp, "component": own},
        "components": components,
        "dependencies": [
            {"ref": own["bom-ref"], "dependsOn": [one["bom-ref"] for one in components]},
            *({"ref": one["bom-ref"]} for one in components),
        ],
    }
    return json.dumps(bill, indent=2) + "\n"


def _bundled(one: Bundled) -> dict[str, Any]:
    component = _component(one.name, one.version, one.licence, "library")
    references = [{"type": "website", "url": one.home}] if one.home else []
    if one.hashes:
        # The lock allows any of the distribution's published files; each is named by its digest.
        published = [{"alg": "SHA-256", "content": digest} for digest in one.hashes]
        url = f"pkg:pypi/{one.name}@{one.version}"
        references.append({"type": "distribution", "url": url, "hashes": published})  # type: ignore[dict-item]
    return component | ({"externalReferences": references} if references else {})


def _component(name: str, version: str, licence: str, kind: str) -> dict[str, Any]:
    purl = f"pkg:{'pypi' if kind == 'library' else 'generic'}/{name}@{version.replace('+', '%2B')}"
    licences = [{"license": {"id": licence}}] if " " not in licence else [{"expression": licence}]
    return {"type": kind, "bom-ref": purl, "name": name, "version": version, "licenses": licences, "purl": purl}
