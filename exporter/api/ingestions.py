"""Gets an ingestion that has left the list of ingestions, to learn how it ended."""

from __future__ import annotations

from dataclasses import replace

from exporter.api.client import Api
from exporter.api.errors import BadResponseError, ForbiddenError, NotFoundError
from exporter.api.models import Ingestion


async def get_ended(api: Api, known: Ingestion) -> Ingestion | None:
    """Get the ingestion that was `known`, which has an id; None if the API no longer knows it.

    Members that the reply lacks keep their known values. If the API refuses this one ingestion or sends a bad
    response, `known` is returned unchanged: one broken object must not hide the tenant's other ingestions.
    Raises `ApiError` for failures of any other kind.
    """
    try:
        now = await api.get_one("/ingestions/{id}", Ingestion.parse, known.id)
    except NotFoundError as error:
        return None if error.by_api else known
    except (BadResponseError, ForbiddenError):
        return known
    return replace(now, id=known.id, type=now.type or known.type, started_at=now.started_at or known.started_at)
