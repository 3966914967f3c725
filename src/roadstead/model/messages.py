"""User messages: why an accepted request failed, in words for the user (wire.md#messages)."""

from datetime import datetime, timedelta

import msgspec

KEPT = timedelta(days=30)  # unless configured otherwise (message_days)

ACTIONS: dict[str, str] = {
    "001": "allocate host",
    "002": "create",
    "003": "delete access rules",
    "004": "promote",
    "005": "update",
    "006": "revert to snapshot",
    "007": "delete",
    "008": "extend",
    "009": "shrink",
    "010": "update access rules",
    "011": "add or update security service",
    "026": "accept transfer",
    "027": "update metadata",
    "028": "restore backup",
}

DETAILS: dict[str, str] = {
    "001": "An unknown error occurred.",
    "002": "No backend could hold this share.",
    "003": "A share network was given, but the backend does not handle share servers.",
    "004": "No usable share server on that share network.",
    "007": "No pool is in the requested availability zone.",
    "008": "No pool has the capabilities that the share type asks for.",
    "009": "No pool has enough free capacity.",
    "010": "No pool handles share servers the way the share type asks for.",
    "015": "The backend could not extend the share.",
    "017": "The backend could not create the share from the snapshot.",
    "018": "The share holds more data than the requested size; it was not shrunk.",
    "019": "The backend cannot shrink shares.",
    "020": "This client id is not allowed.",
    "021": "The backend does not support this access type or level.",
    "022": "The security service could not be set up or is not supported.",
    "023": "The security service refused the user or password.",
    "024": "No default share type is configured.",
    "025": "The share network has no security service of the kind that is needed.",
    "027": "The quota of network ports is exhausted.",
    "028": "The backends are not ready yet.",
    "033": "The subnet has no free address.",
    "035": "The backend could not revert the share.",
}


class Message(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    project_id: str
    action_id: str
    detail_id: str
    level: str = "ERROR"
    request_id: str = ""
    resource_type: str
    resource_id: str | None
    detail: str | None = None  # our own words about this very case, may be longer than the class's
    created_at: datetime
    expires_at: datetime

    @property
    def user_message(self) -> str:
        """`<action>: <class of problem> <this case>`."""
        general = DETAILS.get(self.detail_id, DETAILS["001"])
        action = ACTIONS.get(self.action_id, "unknown action")
        return f"{action}: {general} {self.detail}" if self.detail else f"{action}: {general}"
