"""What breaks each rule of ``engine/checks/mail.py``."""

# ruff: noqa: E501
from __future__ import annotations

_MAIL = (
    "INSERT INTO app.mails (tenant_id, id, key, topic, template, subject_id, to_address, from_name, from_address, reply_to, subject, text, html, status, channel, attempts, available_at, error, secret, expires_at, erased_at, created_at, sent_at)"
    " SELECT tenant_id, '{id}', 'k', 't', 't', id, 'a@b.example', 'S', 's@b.example', '', 's', 'words', '', 'sent', 'smtp', 1, now(), '', {secret}, {expires_at}, {erased_at}, now(), now() FROM app.orders LIMIT 1"
)
_PLAIN = {"secret": "false", "expires_at": "NULL", "erased_at": "NULL"}
FAULTS: dict[str, str] = {
    "every letter was written once": "DROP INDEX app.uq_mails_key;"
    + _MAIL.format(id="eml_1", **_PLAIN)
    + ";"
    + _MAIL.format(id="eml_2", **_PLAIN),
    "no code stays in a letter that has gone out": _MAIL.format(
        id="eml_1", secret="true", expires_at="now() - interval '3 days'", erased_at="NULL"
    ),
    "an erased letter says nothing": _MAIL.format(id="eml_1", secret="false", expires_at="NULL", erased_at="now()"),
}
