"""Records by REST: read, made or changed by external id, transformed; and work that is asked for later."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

from pydantic import BaseModel

from engine.kit.idempotency import canonical_json
from engine.sync.client import VendorClient
from engine.sync.connectors.netsuite.wire import body
from engine.sync.errors import FieldFault, NotNow, Rejected, SyncError, Transient
from engine.sync.wire import Outgoing, Reply

BASE: Final = "/record/v1"
_NOT_THERE: Final = 404
_EXTERNAL: Final = re.compile(r"[^/\s?#%]{1,120}")
SHADOW: Final = "shadow:"
"""Begins the id of what a shadow would have made."""
_LATER: Final = {"Prefer": "respond-async"}
_JOB_WAIT: Final = 2.0


class StillAtWork(NotNow):
    """A job was taken and is not done: ask for it again later."""

    code = "job_not_done"


@dataclass(frozen=True, slots=True)
class Records:
    """One account's records, for one run."""

    client: VendorClient

    def read(self, kind: str, id: str, *, fields: str = "") -> dict[str, Any] | None:  # noqa: A002 (what it is)
        """A record with its lines, by id or ``eid:…``; ``None`` where there is none."""
        params = {"fields": fields} if fields else {"expandSubResources": "true"}
        try:
            found = self.client.request("GET", f"{BASE}/{kind}/{_key(id)}", params=params).data
        except Rejected as error:
            if error.answer == _NOT_THERE:
                return None
            raise
        if not isinstance(found, dict):
            raise Transient("The system's answer is no record.")
        return found

    def found(self, kind: str, external_id: str) -> str | None:
        """The id of the record that has this external id."""
        seen = self.read(kind, eid(external_id), fields="id")
        return str(seen["id"]) if seen else None

    def upsert(self, kind: str, external_id: str, model: BaseModel, *, replace: str = "") -> str:
        """Make it, or change the one that has this external id; its id. Sent twice it is done once."""
        params = {"replace": replace} if replace else None
        path = f"{BASE}/{kind}/{_key(eid(external_id))}"
        reply = self.client.request("PUT", path, json=body(model), params=params, repeatable=True)
        return located(reply) or self._must(kind, external_id)

    def change(self, kind: str, id: str, fields: Mapping[str, Any]) -> None:  # noqa: A002 (what it is)
        """PATCH: set what is named. Of lines it names only ones that have numbers, so that twice is once."""
        self.client.request("PATCH", f"{BASE}/{kind}/{_key(id)}", json=dict(fields), repeatable=True)

    def delete(self, kind: str, external_id: str) -> bool:
        """Whether there was one to take back."""
        try:
            self.client.request("DELETE", f"{BASE}/{kind}/{_key(eid(external_id))}", repeatable=True)
        except Rejected as error:
            if error.answer == _NOT_THERE:
                return False
            raise
        return True

    def transform(self, kind: str, id: str, target: str, external_id: str, model: BaseModel) -> str:  # noqa: A002 (what it is)
        """Make ``target`` of a record; its id. The external id stands in the body, and the system has one record of
        it: where it refuses, and has one, that is ours of an earlier try.
        """
        path = f"{BASE}/{kind}/{_key(id)}/!transform/{target}"
        return self._once(target, external_id, "POST", path, model)

    def make(self, kind: str, external_id: str, model: BaseModel) -> str:
        """A new record with its external id in the body; its id. Once, as a transform is."""
        return self._once(kind, external_id, "POST", f"{BASE}/{kind}", model)

    def upsert_later(self, kind: str, external_id: str, model: BaseModel, *, replace: str = "") -> str:
        """As ``upsert``, worked in the background: for a record that takes long. Raises ``StillAtWork`` until it is
        done; asked again it is the same work, for the idempotency key follows from what is to be written.
        """
        params = {"replace": replace} if replace else None
        path = f"{BASE}/{kind}/{_key(eid(external_id))}"
        said = canonical_json({"at": self.client.connection_id, "path": path, "body": body(model)})
        job = self._later("PUT", path, model, params=params, key=str(uuid.uuid5(uuid.NAMESPACE_OID, said.hex())))
        return self.job(job) or self._must(kind, external_id)

    def _later(self, method: str, path: str, model: BaseModel, *, params: Mapping[str, str] | None, key: str) -> str:
        """The job that works on it. The key is looked at only of such requests: used before, it names the first job."""
        try:
            reply = self.client.request(
                method,
                path,
                json=body(model),
                params=params,
                headers=_LATER,
                idempotency_key=key,
                repeatable=True,
            )
        except JobKnown as known:
            return known.job
        job = located(reply)
        if not job and not self.client.in_shadow:
            raise Transient("The system took work and named no job.")
        return job

    def job(self, job: str) -> str:
        """The id of the record that a job made or changed. Raises ``StillAtWork`` until it is done, and what the work
        itself was refused for. That the task of a job is called as the job is, is assumed.
        """
        if self.client.in_shadow:
            return ""
        told = self.client.request("GET", f"/async/v1/job/{quote(job)}").data
        if not (isinstance(told, dict) and told.get("completed")):
            raise StillAtWork("The system is still at it.", retry_after=_JOB_WAIT)
        return located(self.client.request("GET", f"/async/v1/job/{quote(job)}/task/{quote(job)}/result"))

    def _once(self, kind: str, external_id: str, method: str, path: str, model: BaseModel) -> str:
        try:
            reply = self.client.request(method, path, json=body(model))
        except Rejected:
            earlier = self.found(kind, external_id)
            if earlier is None:
                raise
            return earlier
        return located(reply) or self._must(kind, external_id)

    def _must(self, kind: str, external_id: str) -> str:
        """Of an answer without an address: what was written is looked for. In the shadow nothing was."""
        if self.client.in_shadow:
            return f"{SHADOW}{external_id}"
        found = self.found(kind, external_id)
        if found is None:
            raise Transient(f"The system took a {kind} and does not have it.")
        return found


class JobKnown(SyncError):
    """An idempotency key was used before, for this job."""

    code = "job_known"

    def __init__(self, job: str, *, answer: int | None = None) -> None:
        super().__init__("This work was asked for already.", answer=answer)
        self.job = job


def job_known(request: Outgoing, reply: Reply, codes: set[str]) -> JobKnown | None:
    """Whether an answer says that its key was used for a job, and for which."""
    if request.idempotency_key and "IDEMPOTENCY_ERROR" in codes and (job := located(reply)):
        return JobKnown(job, answer=reply.status)
    return None


def located(reply: Reply) -> str:
    """The last name of ``Location``: the id of what was made. Nothing where an answer has none."""
    path = urlsplit(reply.headers.get("location", "")).path
    return path.rstrip("/").rpartition("/")[2]


def eid(external_id: str) -> str:
    """An external id where an id could stand. Raises ``Rejected`` for one that no address can hold."""
    if not _EXTERNAL.fullmatch(external_id):
        fault = FieldFault("externalId", "it has 1 to 120 characters, none of them / ? # % or blank")
        raise Rejected("This is no external id.", fields=[fault])
    return f"eid:{external_id}"


def _key(id: str) -> str:  # noqa: A002 (what it is)
    return quote(id, safe=":-._~@+")
