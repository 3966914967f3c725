"""The service's errors. Each carries what a user may read; the API maps the class to a status.

Two families meet in the operation runner: `Transient` is tried again, every other error is final.
No secret may enter a message: messages reach logs, the database and the user.
"""

from collections.abc import Sequence

from roadstead.model.hosts import MissingFact


class RoadsteadError(Exception):
    """Base of all our errors; `str(error)` is fit for the user."""


class BadRequest(RoadsteadError):
    """The request is malformed or not possible in the resource's present state (400)."""


class Unprocessable(RoadsteadError):
    """The body lacks its wrapper object, or a share cannot do what is asked (422)."""


class Forbidden(RoadsteadError):
    """The caller may see the resource but not do this (403)."""


class NotFound(RoadsteadError):
    """Does not exist, or not for this caller (404)."""


class Conflict(RoadsteadError):
    """Something of that identity exists and differs, or another operation is under way (409)."""


class CannotAttach(Conflict):
    """A VM or its host lacks something (409); `missing` has every such fact with its fix."""

    def __init__(self, message: str, missing: Sequence[MissingFact]) -> None:
        super().__init__(message)
        self.missing = tuple(missing)


class OverQuota(RoadsteadError):
    """The project's limit would be exceeded (413, or 403: wire.md#quota-errors)."""


class Unauthorized(RoadsteadError):
    """No or invalid identity (401)."""


class Transient(RoadsteadError):
    """The world was not ready; the same step may succeed later. Nothing is to be undone."""


class Awaiting(Transient):
    """Another operation has to end first, and will: waiting for it is not failing."""


class DriverError(RoadsteadError):
    """The world refused for good. `detail_id` says why (wire.md#messages)."""

    def __init__(self, message: str, *, detail_id: str = "001") -> None:
        super().__init__(message)
        self.detail_id = detail_id


class Unsupported(DriverError):
    """The backend cannot express what is asked (a rule type, a size, a protocol)."""


class InUse(Transient):
    """Something is still open or mounted; it can be retried when the user lets go."""


class NoValidPool(RoadsteadError):
    """No pool passed the filters; the message names each pool and the filter that refused it."""

    def __init__(self, message: str, *, detail_id: str) -> None:
        super().__init__(message)
        self.detail_id = detail_id


class ConfigError(RoadsteadError):
    """The configuration file or an override is wrong; names the key."""
