"""Order, page and count of a list, the same for every resource."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from roadstead.model.errors import BadRequest


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """`limit` None = all. The id breaks ties, in the same direction."""

    limit: int | None = None
    offset: int = 0
    sort_key: str = "created_at"
    descending: bool = True
    after: str | None = None  # id of the row before the first wanted one (a marker)


Query = TypeVar("Query", bound="sa.Select[*tuple[Any, ...]]")


def apply_page(
    query: Query,
    page: Page,
    columns: Mapping[str, sa.ColumnElement[Any]],
    id_column: sa.ColumnElement[Any],
) -> Query:
    """The query ordered and cut. BadRequest when the sort key is none of `columns`."""
    column = columns.get(page.sort_key)
    if column is None:
        raise BadRequest(f"cannot sort by {page.sort_key!r}")
    order = (column.desc(), id_column.desc()) if page.descending else (column, id_column)
    query = query.order_by(*order)
    if page.limit is not None:
        query = query.limit(page.limit)
    return query.offset(page.offset) if page.offset else query


def contains(column: sa.ColumnElement[Any], text: str) -> sa.ColumnElement[bool]:
    """Case-insensitive literal substring: the meaning of every `name~` filter."""
    return column.icontains(text, autoescape=True)
