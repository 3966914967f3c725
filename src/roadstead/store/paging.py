"""Order, page and count of a list, the same for every resource."""

from collections.abc import Mapping
from typing import Any, TypeVar

import sqlalchemy as sa

from roadstead.model.errors import BadRequest
from roadstead.model.queries import Page
from roadstead.store.db import Tx

Query = TypeVar("Query", bound="sa.Select[*tuple[Any, ...]]")


def apply_page(
    tx: Tx,
    query: Query,
    page: Page,
    columns: Mapping[str, sa.ColumnElement[Any]],
    id_column: sa.ColumnElement[Any],
    visible: sa.ColumnElement[bool],
) -> Query:
    """The query ordered and cut. BadRequest when the sort key is none of `columns`, or no row of
    the `visible` ones has the marker's id, which costs one more statement."""
    column = columns.get(page.sort_key)
    if column is None:
        raise BadRequest(f"cannot sort by {page.sort_key!r}")
    if page.after is not None:
        marked = sa.select(column).select_from(*query.get_final_froms())
        row = tx.execute(marked.where(id_column == page.after, visible)).first()
        if row is None:
            raise BadRequest(f"marker {page.after!r} could not be found")
        query = query.where(_behind(column, id_column, row[0], page))
    query = query.order_by(*_order(column, id_column, descending=page.descending))
    if page.limit is not None:
        query = query.limit(page.limit)
    return query.offset(page.offset) if page.offset else query


def _order(
    column: sa.ColumnElement[Any], id_column: sa.ColumnElement[Any], *, descending: bool
) -> tuple[sa.ColumnElement[Any], ...]:
    """The same on both databases, which differ in where NULL belongs."""
    first = column.desc() if descending else column.asc()
    if getattr(column, "nullable", True):
        first = first.nulls_last() if descending else first.nulls_first()
    return first, id_column.desc() if descending else id_column.asc()


def _behind(
    column: sa.ColumnElement[Any], id_column: sa.ColumnElement[Any], value: object, page: Page
) -> sa.ColumnElement[bool]:
    """True for the rows after the marked one, which has `value`."""
    tie = id_column < page.after if page.descending else id_column > page.after
    if value is None:
        same = sa.and_(column.is_(None), tie)
        return same if page.descending else sa.or_(column.is_not(None), same)
    later = sa.or_(
        column < value if page.descending else column > value, sa.and_(column == value, tie)
    )
    return sa.or_(later, column.is_(None)) if page.descending else later


def contains(column: sa.ColumnElement[Any], text: str) -> sa.ColumnElement[bool]:
    """Case-insensitive literal substring: the meaning of every `name~` filter."""
    return column.icontains(text, autoescape=True)
