"""The history of a product as a W3C PROV document.

Files are entities, runs of recipes activities, the software that ran is an agent, and the recipe with its
parameters the plan by which it ran.
Source: W3C Recommendation PROV-DM: The PROV Data Model (2013).
"""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Literal

from qcbench.provenance.tracing import Origin
from qcbench.provenance.tree import versions
from qcbench.store import RecipeRun

if TYPE_CHECKING:
    from prov.model import ProvDocument

NAMESPACE = "urn:qcbench:"
_NO_NAME = re.compile(r"[^A-Za-z0-9_.:+/-]")


def prov_document(origin: Origin) -> ProvDocument:
    """Return the history of a product with all that it was made from."""
    # not at the top: the library takes longer to import than most commands to run
    from prov.model import PROV, ProvDocument

    document = ProvDocument()
    document.add_namespace("qcbench", NAMESPACE)
    document.set_default_namespace(NAMESPACE)
    runs: dict[int, RecipeRun] = {}
    for file in origin.walk():
        document.entity(_name(file), _facts(file))
    for file in origin.walk():
        if file.run is None:
            continue
        activity = f"qcbench:run/{file.run.id}"
        if file.run.id not in runs:
            runs[file.run.id] = file.run
            _add_run(document, activity, file.run)
            for source in file.origins:
                document.usage(activity, _name(source), other_attributes={PROV["role"]: source.tag})
        document.generation(_name(file), activity, other_attributes={PROV["role"]: file.tag})
        for source in file.origins:
            document.derivation(_name(file), _name(source), activity)
    return document


def prov_text(origin: Origin, form: Literal["json", "provn"]) -> str:
    """Return the document as PROV-JSON or PROV-N."""
    document = prov_document(origin)
    if form == "provn":
        return f"{document.get_provn()}\n"
    return json.dumps(json.loads(document.serialize(format="json") or "{}"), indent=1) + "\n"


def _add_run(document: ProvDocument, activity: str, run: RecipeRun) -> None:
    from prov.model import PROV

    end = run.started_at + dt.timedelta(seconds=run.seconds)
    document.activity(
        activity,
        run.started_at,
        end,
        {
            "qcbench:ab": run.ab.name,
            "qcbench:engine": run.engine,
            "qcbench:host": run.host,
            "qcbench:peak_memory_MiB": run.peak_mb,
        },
    )
    plan = f"qcbench:plan/{run.id}"
    document.entity(
        plan,
        [
            (PROV["type"], PROV["Plan"]),
            ("qcbench:recipe", run.recipe),
            *((_qualified(f"parameter/{name}"), value) for name, value in run.parameters.items()),
        ],
    )
    for name, version in versions(run).items():
        agent = _qualified(f"software/{name}-{version}")
        document.agent(
            agent, {PROV["type"]: PROV["SoftwareAgent"], PROV["label"]: name, "qcbench:version": version}
        )
        document.association(activity, agent, plan)


def _facts(file: Origin) -> dict[str, str]:
    found = {
        "prov:label": file.name,
        "qcbench:kind": file.kind,
        "qcbench:category": file.tag,
        "qcbench:sha256": file.sha256,
        "qcbench:data_sha256": file.data_hash,
    }
    return {key: value for key, value in found.items() if value}


def _name(file: Origin) -> str:
    """Return the name of an entity: a file that has got another content is another entity."""
    version = f"/{file.version[:16]}" if file.version else ""
    return _qualified(f"{file.kind}/{file.name}{version}")


def _qualified(local: str) -> str:
    return f"qcbench:{_NO_NAME.sub('_', local)}"
