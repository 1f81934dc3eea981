#!/usr/bin/env python
"""Writes the variable tables of the roles' READMEs from meta/argument_specs.yml.

Usage: tools/role_readmes.py [--check]; with --check it only tells which tables are out of date.
"""

from __future__ import annotations

import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- variables -->", "<!-- end of variables -->"


def plain(text: str) -> str:
    """Ansible's semantic markup as Markdown."""
    text = re.sub(r"[MP]\(([^)#]+)(#\w+)?\)", r"`\1`", text)
    return re.sub(r"[CVO]\(([^)]*)\)", r"`\1`", " ".join(text.split())).replace("|", "\\|")


def table(role: pathlib.Path) -> str:
    """The Markdown table of a role's variables."""
    spec = yaml.safe_load((role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text(encoding="utf-8"))
    lines = ["| variable | type | default | meaning |", "|---|---|---|---|"]
    for name, option in spec["argument_specs"]["main"]["options"].items():
        kind = option["type"]
        if "elements" in option:
            kind += f" of {option['elements']}"
        if "choices" in option:
            kind = " or ".join(f"`{choice}`" for choice in option["choices"])
        default = defaults.get(name)
        shared = re.search(r"\b(multimaster_\w+)", str(default))
        if option.get("required"):
            shown = f"required (`{shared.group(1)}`)" if shared else "required"
        elif shared:
            shown = f"from `{shared.group(1)}`"
        else:
            shown = f"`{yaml.safe_dump(default, default_flow_style=True).splitlines()[0]}`"
        meaning = " ".join(plain(line) for line in option["description"])
        lines.append(f"| `{name}` | {kind} | {shown} | {meaning} |")
    return "\n".join(lines)


def main() -> int:
    stale = []
    for role in sorted((ROOT / "roles").iterdir()):
        readme = role / "README.md"
        text = readme.read_text(encoding="utf-8")
        before, rest = text.split(BEGIN)
        after = rest.split(END)[1]
        current = f"{before}{BEGIN}\n{table(role)}\n{END}{after}"
        if current != text:
            stale.append(str(readme.relative_to(ROOT)))
            if "--check" not in sys.argv:
                readme.write_text(current, encoding="utf-8")
    if stale and "--check" in sys.argv:
        print(f"Out of date, run tools/role_readmes.py: {', '.join(stale)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
