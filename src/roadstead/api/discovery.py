"""Which API versions there are: what clients ask first, without a token."""

from typing import Any

from roadstead.api import versions


def document(base: str) -> dict[str, Any]:
    """Exactly one entry: gophercloud takes two for an error, and wants `updated` as RFC 3339."""
    return {
        "versions": [
            {
                "id": "v2.0",
                "status": "CURRENT",
                "version": f"2.{versions.MAX}",
                "min_version": f"2.{versions.MIN}",
                "updated": "2015-08-27T11:33:21Z",
                "links": [
                    {
                        "rel": "describedby",
                        "type": "text/html",
                        "href": "https://docs.openstack.org/api-ref/shared-file-system/",
                    },
                    {"rel": "self", "href": f"{base}/v2/"},
                ],
                "media-types": [
                    {
                        "base": "application/json",
                        "type": "application/vnd.openstack.share+json;version=1",
                    }
                ],
            }
        ]
    }


HEALTH: dict[str, Any] = {"detailed": False, "reasons": ["OK"]}
