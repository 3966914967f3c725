"""…/metadata and …/metadata/{key}: the same six routes for every resource that has metadata."""

from collections.abc import Callable
from typing import Any

import msgspec

from roadstead.api.call import Call
from roadstead.api.schemas import metadata as schema
from roadstead.service import metadata, subnets
from roadstead.service.metadata import Owner


class Handlers(msgspec.Struct, frozen=True):
    """Handlers for one kind of resource. The path's variables are its ids, then the key."""

    owner: Callable[..., Owner]
    pairs: Callable[[object], dict[str, str]]
    echoes: bool = False  # merging answers with what was sent, not with all there is

    def _new(self, call: Call) -> dict[str, str]:
        return self.pairs(schema.body(call.body))

    def index(self, call: Call, *ids: str) -> dict[str, Any]:
        return {"metadata": self.owner(*ids).read(call.service, call.caller)}

    def merge(self, call: Call, *ids: str) -> dict[str, Any]:
        new = self._new(call)
        found = metadata.merge(call.service, call.caller, self.owner(*ids), new)
        return {"metadata": new if self.echoes else found}

    def replace(self, call: Call, *ids: str) -> dict[str, Any]:
        new = self._new(call)
        return {"metadata": metadata.replace(call.service, call.caller, self.owner(*ids), new)}

    def show(self, call: Call, *ids_and_key: str) -> dict[str, Any]:
        *ids, key = ids_and_key
        value = metadata.read_one(call.service, call.caller, self.owner(*ids), key)
        return {"meta": {key: value}}

    def set_one(self, call: Call, *ids_and_key: str) -> dict[str, Any]:
        *ids, key = ids_and_key
        new = schema.one(self._new(call), key)
        metadata.merge(call.service, call.caller, self.owner(*ids), new)
        return {"metadata": new}

    def delete(self, call: Call, *ids_and_key: str) -> None:
        *ids, key = ids_and_key
        metadata.delete(call.service, call.caller, self.owner(*ids), key)


SHARES = Handlers(metadata.share, schema.pairs)
EXPORT_LOCATIONS = Handlers(metadata.export_location, schema.location_pairs)
SUBNETS = Handlers(subnets.metadata_owner, schema.pairs, echoes=True)
