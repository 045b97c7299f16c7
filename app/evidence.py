"""Files that show what is wrong with goods: how they come in a request, and how they are given out."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field

from engine.kit.errors import InvalidInput
from engine.kit.evidence import LARGEST, EvidenceColumns


class FileIn(BaseModel):
    """A JPEG, PNG or WebP picture of at most 2 MiB (a claim takes a PDF too); what it is its bytes say."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200)]
    content: Annotated[str, Field(min_length=4, max_length=LARGEST * 4 // 3 + 8)]
    """Base64."""

    def read(self) -> bytes:
        """The bytes. Raises ``InvalidInput``."""
        try:
            return base64.b64decode(self.content, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidInput("The content is not base64.", param="content") from None


def download(found: EvidenceColumns) -> Response:
    """As a download: nothing of it is run by a browser, and a page of our own shows it as a picture at most."""
    headers = {
        "Content-Disposition": f'attachment; filename="{found.name}"',
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(found.content, media_type=found.media_type, headers=headers)
