# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What pg_dump prints about a schema as blocks, and two of them compared (pure)."""

from __future__ import annotations

import collections
import dataclasses
import difflib
import re
import typing as t

from .._common.text import listed
from .._postgres.dump import redact

# The public schema's owner and default privileges changed with this release, and pg_dump prints
# them for older servers only. https://www.postgresql.org/docs/15/release-15.html
_PUBLIC_SCHEMA_CHANGED = 15
# pg_restore 17 prints SET transaction_timeout, which older servers refuse.
_TRANSACTION_TIMEOUT_SINCE = 17

_HEADER = re.compile(
    r"^-- Name: (?P<name>.*); Type: (?P<type>[A-Z ]+); Schema: (?P<schema>.*); Owner: "
    r"(?P<owner>.*?)(?:; Tablespace: .*)?$"
)
_END = "-- PostgreSQL database dump complete"
_STATE = re.compile(r"^SET default_(tablespace|table_access_method) = (.*);$")
# PostgreSQL 17.12 of Debian 13 keeps an option of its own in pg_attribute.attoptions. Its pg_dump
# hides it, that of 18 prints it, and no server takes it.
_COLUMN_OPTIONS = re.compile(r"^(ALTER (?:FOREIGN )?TABLE .+ ALTER COLUMN .+ SET \()(.*)(\);)$")
_PRIVATE_OPTION = re.compile(r"(?:^|, )pg_attver='?\d+'?")
# What sequence_interleave changes on purpose; the direction of counting still counts.
_SEQUENCE_STEP = re.compile(r"^\s+(START WITH -?\d+|INCREMENT BY \d+)$")


@dataclasses.dataclass(frozen=True, order=True)
class Block:
    """The statements of one entry, normalised so that equal objects have equal blocks.

    :param type: pg_dump's, e.g. "TABLE", "FK CONSTRAINT", "ACL".
    :param schema: "-" for objects without one.
    :param name: as pg_dump's comments print it, unquoted, newlines replaced.
    """

    type: str
    schema: str
    name: str
    body: str = dataclasses.field(repr=False)
    owner: str = dataclasses.field(default="", compare=False)

    @property
    def key(self) -> tuple[str, str, str]:
        """What the block is about."""
        return (self.type, self.schema, self.name)

    @property
    def title(self) -> str:
        """How messages call the object, e.g. "TABLE public.orders"."""
        if self.name.startswith(f"{self.type} "):
            return self.name
        return f"{self.type} {self.name}" if self.schema == "-" else f"{self.type} {self.place}"

    @property
    def place(self) -> str:
        """Schema and name."""
        return f"{self.schema}.{self.name}"

    @property
    def label(self) -> str:
        """The same object's `TocEntry.label`."""
        return f"{self.type} {self.schema} {self.name} {self.owner}".strip()


def parse_script(script: str) -> list[Block]:
    """Split a plain-text dump of a schema into normalised blocks.

    The preamble and the comments are left out. A function's body that imitates one of pg_dump's
    comments is split there, on both sides alike.
    """
    lines = script.split("\n")
    blocks: list[Block] = []
    state: dict[str, str] = {}
    header: t.Optional[re.Match[str]] = None
    body: list[str] = []
    here: dict[str, str] = {}
    for number, line in enumerate(lines):
        framed = 0 < number < len(lines) - 1 and lines[number - 1] == lines[number + 1] == "--"
        match = _HEADER.match(line) if framed else None
        if match or (framed and line == _END):
            # The settings in front of a comment belong to the object behind it.
            _take_state(body, state)
            if header:
                blocks.append(_block(header, body, here))
            header, body, here = match, [], dict(state)
        else:
            body.append(line)
    if header:
        blocks.append(_block(header, body, here))
    return blocks


def _take_state(body: list[str], state: dict[str, str]) -> None:
    """Move the trailing SET default_... lines of a body to `state`.

    pg_dump prints them when they change, so where they stand depends on the order of objects.
    """
    while body:
        match = _STATE.match(body[-1])
        if match:
            # Walking backwards: the last one wins.
            state.setdefault("new " + match[1], match[2])
        elif body[-1] not in ("", "--"):
            break
        body.pop()
    for name in ("tablespace", "table_access_method"):
        if "new " + name in state:
            state[name] = state.pop("new " + name)


def _block(header: re.Match[str], body: list[str], state: t.Mapping[str, str]) -> Block:
    kind = header["type"]
    text = list(body)
    if text and text[0] == "--":
        text = text[1:]
    if kind == "SEQUENCE":
        text = [line for line in text if not _SEQUENCE_STEP.match(line.rstrip(";"))]
    text = _without_private_options(text)
    if kind in ("ACL", "DEFAULT ACL"):
        # In the order of the catalog's array, which depends on the history of grants.
        text.sort()
    if kind in ("TABLE", "MATERIALIZED VIEW", "INDEX", "CONSTRAINT"):
        tablespace = state.get("tablespace", "''")
        if tablespace not in ("", "''"):
            text.append(f"-- Tablespace: {tablespace}")
    if kind in ("TABLE", "MATERIALIZED VIEW"):
        method = state.get("table_access_method", "heap")
        if method != "heap":
            text.append(f"-- Access method: {method}")
    return Block(
        type=kind,
        schema=header["schema"],
        name=header["name"],
        body="\n".join(text).strip("\n"),
        owner=header["owner"] if header["owner"] != "-" else "",
    )


def _without_private_options(lines: t.Iterable[str]) -> list[str]:
    """Leave out the options of columns that only the server that made them knows."""
    kept = []
    for line in lines:
        match = _COLUMN_OPTIONS.match(line) if "pg_attver" in line else None
        if match:
            options = _PRIVATE_OPTION.sub("", match[2]).removeprefix(", ")
            line = f"{match[1]}{options}{match[3]}" if options else ""
        if line or not match:
            kept.append(line)
    return kept


def comparable(blocks: t.Iterable[Block], majors: t.Collection[int]) -> list[Block]:
    """Drop what servers of these major versions are bound to differ in."""
    crossing = min(majors) < _PUBLIC_SCHEMA_CHANGED <= max(majors)
    if not crossing:
        return list(blocks)
    public = {("SCHEMA", "-", "public"), ("ACL", "-", "SCHEMA public")}
    return [block for block in blocks if block.key not in public]


_VIEW_RULE = " _RETURN"


def with_views(blocks: t.Collection[Block]) -> list[Block]:
    """Give views the definition that pg_dump prints apart.

    A view that needs a primary key (GROUP BY on it) is printed as a stub and a rule behind the
    key, but in one piece while the key's index is invalid.
    """
    rules = {(b.schema, b.name): b for b in blocks if _is_view_rule(b)}
    out = []
    for block in blocks:
        rule = rules.get((block.schema, block.name + _VIEW_RULE))
        if block.type == "VIEW" and rule:
            _stub, end, rest = block.body.partition(";\n\n")
            whole = rule.body.replace("CREATE OR REPLACE VIEW", "CREATE VIEW", 1)
            block = dataclasses.replace(block, body=whole.removesuffix(";") + end + rest)
        if not _is_view_rule(block):
            out.append(block)
    return out


def without_stubs(blocks: t.Iterable[Block], others: t.Iterable[Block]) -> list[Block]:
    """Blank the views whose definition follows later, according to the blocks in `others`."""
    later = {(b.schema, b.name) for b in others if _is_view_rule(b)}
    return [
        dataclasses.replace(block, body="")
        if block.type == "VIEW" and (block.schema, block.name + _VIEW_RULE) in later
        else block
        for block in blocks
    ]


def _is_view_rule(block: Block) -> bool:
    return (
        block.type == "RULE"
        and block.name.endswith(_VIEW_RULE)
        and block.body.startswith("CREATE OR REPLACE VIEW ")
    )


@dataclasses.dataclass(frozen=True)
class IndexName:
    """An index, for telling which blocks speak of it."""

    schema: str
    table: str
    name: str

    def owns(self, block: Block) -> bool:
        """Whether the block would not exist without this index."""
        if block.schema != _flat(self.schema):
            return False
        name, table = _flat(self.name), _flat(self.table)
        return (block.type, block.name.replace('"', "")) in {
            ("INDEX", name),
            ("INDEX ATTACH", name),
            ("CONSTRAINT", f"{table} {name}"),
            ("COMMENT", f"INDEX {name}"),
            ("COMMENT", f"CONSTRAINT {name} ON {table}"),
        }

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def _flat(name: str) -> str:
    return re.sub(r"[\r\n]", " ", name).replace('"', "")


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How a target's schema differs from its source's."""

    missing: tuple[Block, ...] = ()
    extra: tuple[Block, ...] = ()
    changed: tuple[tuple[Block, Block], ...] = ()

    @property
    def equal(self) -> bool:
        """Nothing differs."""
        return not (self.missing or self.extra or self.changed)

    @property
    def only_missing(self) -> bool:
        """What is there is right, but something is not there."""
        return bool(self.missing) and not (self.extra or self.changed)

    def titles(self, limit: int = 5) -> str:
        """The differing objects in one line of text."""
        names = (
            [f"{old.title} (differs)" for old, _new in self.changed]
            + [f"{block.title} (missing)" for block in self.missing]
            + [f"{block.title} (not in the source)" for block in self.extra]
        )
        return listed(names, limit)

    def lines(self, source: str, target: str, limit: int) -> list[str]:
        """A unified diff, target to source, at most `limit` lines, passwords masked."""
        pairs: list[tuple[t.Optional[Block], t.Optional[Block]]] = [
            *self.changed,
            *((block, None) for block in self.missing),
            *((None, block) for block in self.extra),
        ]
        out: list[str] = []
        for left, right in pairs:
            title = (left or right or pairs).title  # type: ignore[union-attr]
            diff = difflib.unified_diff(
                redact(right.body).split("\n") if right else [],
                redact(left.body).split("\n") if left else [],
                f"{target}: {title}",
                f"{source}: {title}",
                lineterm="",
            )
            body = list(diff)
            if not body:
                body = [f"--- {target}: {title}", f"+++ {source}: {title}", "(a secret differs)"]
            out.extend(body)
            if len(out) > limit:
                return [*out[:limit], f"... cut after {limit} lines"]
        return out


def compare(
    source: t.Iterable[Block],
    target: t.Iterable[Block],
    pending: t.Collection[IndexName] = (),
) -> Comparison:
    """Compare two schemas, whatever the order of their objects.

    :param pending: the target's invalid indexes. pg_dump leaves them out, but they are there:
        their table is being filled.
    """
    of_source, of_target = _by_shape(source), _by_shape(target)
    missing = _surplus(of_source, of_target)
    extra = _surplus(of_target, of_source)
    if pending:
        missing = [b for b in missing if not any(index.owns(b) for index in pending)]
    changed = []
    by_key: dict[tuple[str, str, str], list[Block]] = {}
    for block in extra:
        by_key.setdefault(block.key, []).append(block)
    really_missing = []
    for block in missing:
        same = by_key.get(block.key)
        if same:
            changed.append((block, same.pop(0)))
        else:
            really_missing.append(block)
    really_extra = [block for blocks in by_key.values() for block in blocks]
    return Comparison(tuple(really_missing), tuple(really_extra), tuple(changed))


_Shapes = t.Dict[t.Tuple[t.Tuple[str, str, str], str], t.List[Block]]


def _by_shape(blocks: t.Iterable[Block]) -> _Shapes:
    shapes: _Shapes = {}
    for block in blocks:
        shapes.setdefault((block.key, block.body), []).append(block)
    return shapes


def _surplus(left: _Shapes, right: _Shapes) -> list[Block]:
    return sorted(
        block for shape, blocks in left.items() for block in blocks[len(right.get(shape, ())) :]
    )


def is_empty(target: t.Iterable[Block], source: t.Collection[Block]) -> bool:
    """Whether a database holds nothing that a clone would meet.

    Extensions, and the state of schema public, may be there before if the source has the same.
    """
    known = set(source)
    return all(_may_exist(block) and block in known for block in target)


def _may_exist(block: Block) -> bool:
    if block.type == "EXTENSION":
        return True
    if block.type == "COMMENT":
        return block.name.startswith("EXTENSION ") or block.name == "SCHEMA public"
    return block.key in {("SCHEMA", "-", "public"), ("ACL", "-", "SCHEMA public")}


def summary(blocks: t.Iterable[Block]) -> dict[str, int]:
    """Number of objects per type, sorted by type."""
    counts = collections.Counter(block.type for block in blocks)
    return {kind.lower(): counts[kind] for kind in sorted(counts)}


def restore_script(script: str, server_major: int) -> str:
    """The dump as SQL for a server of this major version, without psql's own commands.

    pg_dump puts `\\restrict` around the script since 2025, to keep psql from running commands that
    a hostile server smuggled in. A server cannot run those.
    """
    preamble, found, rest = script.partition("\n-- Name: ")
    preamble = re.sub(r"^\\restrict .*\n", "", preamble, flags=re.MULTILINE)
    if server_major < _TRANSACTION_TIMEOUT_SINCE:
        preamble = preamble.replace("SET transaction_timeout = 0;\n", "")
    tail, end, _unrestrict = rest.rpartition(_END)
    tail = "\n".join(_without_private_options(tail.split("\n")))
    return preamble + found + tail + end
