# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packs the program: one file that Python runs, made of the very code that the modules run."""

from __future__ import annotations

import ast
import importlib.util
import io
import sys
import zipfile

from . import program

_ROOT = __name__.rpartition("._monitor.")[0]
_PACKAGE = "multimaster_bucardo"
# -I: neither the environment nor a user's directory decides what is imported.
_SHEBANG = b"#!/usr/bin/python3 -I\n"
_MAIN = f"""import sys

from {_PACKAGE}._monitor.program import main

sys.exit(main())
"""
# The same content makes the same file.
_MOMENT = (2026, 1, 1, 0, 0, 0)


def packed() -> bytes:
    """The program with everything of this collection that it imports."""
    files = {"__main__.py": _MAIN, f"{_PACKAGE}/__init__.py": ""}
    for name in sorted(_imported()):
        place = name[len(_ROOT) + 1 :].split(".")
        folders = place[:-1]
        for depth in range(1, len(folders) + 1):
            files.setdefault("/".join([_PACKAGE, *folders[:depth], "__init__.py"]), "")
        files["/".join([_PACKAGE, *place]) + ".py"] = _source(name)
    stream = io.BytesIO()
    stream.write(_SHEBANG)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(files.items()):
            archive.writestr(_entry(name), text)
    return stream.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _MOMENT)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _imported() -> set[str]:
    """The program's files and those that they import, by their names as modules."""
    found: set[str] = set()
    waiting = [program.__name__]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for node in ast.walk(ast.parse(_source(name))):
            if isinstance(node, ast.ImportFrom) and node.level:
                parts = name.split(".")[: -node.level] + (node.module or "").split(".")
                base = ".".join(filter(None, parts))
                names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
                # What only annotations name was not imported; folders are no files.
                waiting += [one for one in names if getattr(sys.modules.get(one), "__file__", None)]
    return found


def _source(name: str) -> str:
    spec = importlib.util.find_spec(name)
    text = getattr(spec.loader, "get_source", lambda _name: None)(name) if spec else None
    if text is None:
        raise RuntimeError(f"no source of {name}")
    return str(text)
