"""Secrets at rest: AES-256-GCM under a key of the tenant's own, bound to what they belong to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


def derive(secret_key: bytes, purpose: str) -> bytes:
    """A 32-byte key for one purpose (HKDF-like: HMAC-SHA256 of the purpose)."""
    return hmac.new(secret_key, f"icommerce/{purpose}".encode(), hashlib.sha256).digest()


def seal(secret_key: bytes, tenant_id: str, context: str, value: str) -> bytes:
    """Encrypt ``value``; it opens only with the same tenant and ``context`` (such as ``consent|cnf_…``)."""
    nonce = secrets.token_bytes(_NONCE)
    return nonce + _cipher(secret_key, tenant_id).encrypt(nonce, value.encode(), f"{tenant_id}|{context}".encode())


def unseal(secret_key: bytes, tenant_id: str, context: str, sealed: bytes) -> str:
    """The value again. Raises ``cryptography.exceptions.InvalidTag`` when it was sealed for something else."""
    data = f"{tenant_id}|{context}".encode()
    return _cipher(secret_key, tenant_id).decrypt(sealed[:_NONCE], sealed[_NONCE:], data).decode()


def seal_code(secret_key: bytes, tenant_id: str, topic: str, subject_id: str, code: str) -> str:
    """A code on its way through the outbox, as text: only whoever is told of this subject under this topic opens it."""
    return base64.b64encode(seal(secret_key, tenant_id, f"outbox|{topic}|{subject_id}", code)).decode()


def open_code(secret_key: bytes, tenant_id: str, topic: str, subject_id: str, sealed: str) -> str:
    """The code again. Raises ``cryptography.exceptions.InvalidTag`` when it was sealed for something else."""
    return unseal(secret_key, tenant_id, f"outbox|{topic}|{subject_id}", base64.b64decode(sealed))


@lru_cache(maxsize=256)
def _cipher(secret_key: bytes, tenant_id: str) -> AESGCM:
    return AESGCM(derive(secret_key, f"envelope:{tenant_id}"))
