# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a password belongs to a role's stored hash (pure).

So that a password is set only when it differs, without sending or logging it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import stringprep
import unicodedata

_SCRAM = "SCRAM-SHA-256$"


def fits(stored: str | None, user: str, password: str) -> bool:
    """Whether `stored` (pg_authid.rolpassword) was made from this password.

    Formats: https://www.postgresql.org/docs/current/catalog-pg-authid.html
    """
    if not stored:
        return False
    if stored.startswith(_SCRAM):
        return _fits_scram(stored, password)
    if stored.startswith("md5") and len(stored) == 35:
        text = (password + user).encode("utf-8")
        digest = hashlib.md5(text, usedforsecurity=False).hexdigest()
        return hmac.compare_digest(stored, "md5" + digest)
    return False


def _fits_scram(stored: str, password: str) -> bool:
    try:
        iterations_and_salt, keys = stored[len(_SCRAM) :].split("$", 1)
        iterations, salt = iterations_and_salt.split(":", 1)
        stored_key = keys.split(":", 1)[0]
        salted = hashlib.pbkdf2_hmac(
            "sha256",
            _saslprep(password).encode("utf-8"),
            base64.b64decode(salt, validate=True),
            int(iterations),
        )
        expected = base64.b64decode(stored_key, validate=True)
    except (ValueError, binascii.Error):
        return False
    client_key = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), expected)


def _saslprep(password: str) -> str:
    """RFC 4013 as PostgreSQL applies it: a password that it forbids is used as it is."""
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in password
        # U+200B is in both tables; PostgreSQL makes it a blank.
        if stringprep.in_table_c12(char) or not stringprep.in_table_b1(char)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    forbidden = (
        stringprep.in_table_c12,
        stringprep.in_table_c21_c22,
        stringprep.in_table_c3,
        stringprep.in_table_c4,
        stringprep.in_table_c5,
        stringprep.in_table_c6,
        stringprep.in_table_c7,
        stringprep.in_table_c8,
        stringprep.in_table_c9,
        stringprep.in_table_a1,
    )
    if not prepared or any(test(char) for char in prepared for test in forbidden):
        return password
    right_to_left = [stringprep.in_table_d1(char) for char in prepared]
    if any(right_to_left):
        left_to_right = any(stringprep.in_table_d2(char) for char in prepared)
        if left_to_right or not (right_to_left[0] and right_to_left[-1]):
            return password
    return prepared
