"""What a key may do: a closed list, named after the paths."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from afterword.errors import UserError, nearest


class Permission(StrEnum):
    """One permission of a key."""

    USERS_TRACK = "users.track"
    USERS_DELETE = "users.delete"
    USERS_MERGE = "users.merge"
    USERS_ALIAS_NEW = "users.alias.new"
    USERS_IDENTIFY = "users.identify"
    USERS_EXPORT_IDS = "users.export.ids"
    CAMPAIGNS_LIST = "campaigns.list"
    CAMPAIGNS_DETAILS = "campaigns.details"
    CAMPAIGNS_DATA_SERIES = "campaigns.data_series"
    SENDS_DATA_SERIES = "sends.data_series"
    CANVAS_LIST = "canvas.list"
    CANVAS_DETAILS = "canvas.details"
    CANVAS_DATA_SERIES = "canvas.data_series"
    CANVAS_DATA_SUMMARY = "canvas.data_summary"
    EVENTS_LIST = "events.list"
    EVENTS_DATA_SERIES = "events.data_series"
    PURCHASES_PRODUCT_LIST = "purchases.product_list"
    PURCHASES_REVENUE_SERIES = "purchases.revenue_series"
    PURCHASES_QUANTITY_SERIES = "purchases.quantity_series"
    SESSIONS_DATA_SERIES = "sessions.data_series"
    KPI_DAU_DATA_SERIES = "kpi.dau.data_series"
    KPI_MAU_DATA_SERIES = "kpi.mau.data_series"
    KPI_NEW_USERS_DATA_SERIES = "kpi.new_users.data_series"
    KPI_UNINSTALLS_DATA_SERIES = "kpi.uninstalls.data_series"
    SEGMENTS_LIST = "segments.list"
    FEED_LIST = "feed.list"
    API_WRITE = "api.write"
    API_READ = "api.read"
    API_DEFINITIONS = "api.definitions"
    SEGMENT_WRITE = "segment.write"
    ADMIN = "admin"
    """Everything, also what is added to this list one day."""


def read_permissions(names: Iterable[str]) -> frozenset[Permission]:
    """Read permissions; `campaigns.*` stands for all that begin so.

    Raises `UserError` for a name that is none, and where there is no name at all.
    """
    found = frozenset(permission for name in names for permission in _read(name))
    if not found:
        raise UserError(f"a key needs at least one permission: {', '.join(Permission)}")
    return found


def _read(name: str) -> list[Permission]:
    prefix = name.removesuffix("*")
    many = [p for p in Permission if p.startswith(prefix)] if name.endswith(".*") else []
    if many:
        return many
    try:
        return [Permission(name)]
    except ValueError:
        raise UserError(f'unknown permission "{name}"{nearest(name, Permission)}') from None
