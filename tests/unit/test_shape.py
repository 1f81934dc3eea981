# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What documentation, roles, playbooks and plugins say of each other is true."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import pathlib
import re
import subprocess
import sys

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import (
    module as ansible_module,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences import strategies

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLUGINS = "ansible_collections.multimaster.bucardo.plugins"
PREFIX = "multimaster.bucardo."
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
FILTER_FILES = sorted(path.stem for path in (ROOT / "plugins/filter").glob("*.py"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHARED = "roles/preflight/files/shared_variables.yml"


def load(path):
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def tracked_files():
    """Files of the repository as git knows them; without git, all that are no caches."""
    found = None
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        found = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z"],
            cwd=ROOT,
            check=True,
            capture_output=True,
        ).stdout
    if found is not None:
        paths = [ROOT / name for name in found.decode().split("\0") if name]
    else:
        hidden = {".git", ".cache", ".venv", ".ansible", "__pycache__"}
        paths = [path for path in ROOT.rglob("*") if not hidden & set(path.parts)]
    return [path for path in paths if path.is_file()]


def yaml_files(*folders):
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.yml"))


def tasks_of(data):
    """Every task in plays, blocks and lists of tasks."""
    if isinstance(data, list):
        for one in data:
            yield from tasks_of(one)
    elif isinstance(data, dict):
        yield data
        for key in ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always"):
            yield from tasks_of(data.get(key) or [])


class Spec:
    """A module's argument specification, as its main() hands it over."""

    def __init__(self, name, monkeypatch):
        seen = []
        monkeypatch.setattr(
            ansible_module, "run", lambda spec, body, **more: seen.append((spec, more))
        )
        importlib.import_module(f"{PLUGINS}.modules.{name}").main()
        ((self.spec, more),) = seen
        self.rules = {key: value for key, value in more.items() if key.startswith(("req", "mut"))}

    def errors(self, args):
        validator = ArgumentSpecValidator(self.spec, **self.rules)
        return validator.validate(filled_in(args, self.spec)).error_messages


def is_template(value):
    return isinstance(value, str) and "{{" in value


def filled_in(args, spec):
    """The arguments with a value that fits in the place of each template."""
    samples = {"int": 1, "float": 1.0, "bool": True, "list": [], "dict": {}}
    found = {}
    for name, value in args.items():
        option = spec.get(name, {})
        kind = option.get("type", "str")
        if is_template(value):
            needed = [key for key, one in option.get("options", {}).items() if one.get("required")]
            if kind == "dict" and needed:
                value = filled_in(dict.fromkeys(needed, "{{ it }}"), option["options"])
            else:
                value = (option.get("choices") or [samples.get(kind, "text")])[0]
        elif "options" in option and isinstance(value, dict):
            value = filled_in(value, option["options"])
        elif "options" in option and isinstance(value, list):
            value = [filled_in(one, option["options"]) for one in value if isinstance(one, dict)]
        found[name] = value
    return found


@pytest.fixture
def errors(monkeypatch):
    """What is wrong with the tasks in this data that use modules of the collection."""

    def _errors(data):
        found, used = [], set()
        for task in tasks_of(data):
            for key, args in task.items():
                name = str(key).removeprefix(PREFIX)
                if key != name and name in MODULES:
                    used.add(name)
                    problems = Spec(name, monkeypatch).errors(args or {})
                    found += [f"{task.get('name')}: {problem}" for problem in problems]
        return found, used

    return _errors


# Modules


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_documented(name):
    module = importlib.import_module(f"{PLUGINS}.modules.{name}")
    documentation = yaml.safe_load(module.DOCUMENTATION)
    assert documentation["module"] == name
    for mode in ("check_mode", "diff_mode"):
        attribute = documentation["attributes"][mode]
        assert attribute["support"] in ("full", "partial", "none", "N/A")
        assert attribute["description"]
    returned = yaml.safe_load(module.RETURN)
    assert returned
    assert all({"description", "returned", "type"} <= set(value) for value in returned.values())


def told(options):
    """What documentation says of options, as a specification does."""
    return {
        name: {
            "type": one.get("type", "str"),
            "choices": one.get("choices"),
            "default": one.get("default"),
            "required": one.get("required", False),
            "elements": one.get("elements"),
            "options": told(one["suboptions"]) if "suboptions" in one else None,
        }
        for name, one in options.items()
    }


def asked(spec):
    """The same of a specification."""
    return {
        name: {
            "type": one.get("type", "str"),
            "choices": list(one["choices"]) if "choices" in one else None,
            "default": one.get("default"),
            "required": one.get("required", False),
            "elements": one.get("elements"),
            "options": asked(one["options"]) if "options" in one else None,
        }
        for name, one in spec.items()
    }


@pytest.mark.parametrize("name", MODULES)
def test_options_of_a_module_are_those_that_it_documents(name, monkeypatch):
    documentation = yaml.safe_load(
        importlib.import_module(f"{PLUGINS}.modules.{name}").DOCUMENTATION
    )
    options = documentation.get("options") or {}
    for fragment in documentation.get("extends_documentation_fragment", []):
        file, _dot, part = fragment.removeprefix(PREFIX).partition(".")
        shared = importlib.import_module(f"{PLUGINS}.doc_fragments.{file}").ModuleDocFragment
        more = yaml.safe_load(getattr(shared, (part or "documentation").upper()))
        for option, one in (more.get("options") or {}).items():
            options[option] = {**one, **options.get(option, {})}
    assert told(options) == asked(Spec(name, monkeypatch).spec)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_fit_its_options(name, errors):
    module = importlib.import_module(f"{PLUGINS}.modules.{name}")
    found, used = errors(yaml.safe_load(module.EXAMPLES))
    assert found == []
    assert name in used


def test_a_wrong_example_is_noticed(errors):
    task = {"name": "x", f"{PREFIX}bucardo_db": {"name": "a", "hots": "b", "port": "no"}}
    found, _used = errors([{"block": [task]}])
    assert any("hots" in one for one in found)
    assert any("port" in one for one in found)


@pytest.mark.parametrize(
    "path",
    yaml_files("roles", "playbooks", "molecule", "demo", "tests"),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_tasks_fit_the_modules_options(path, errors):
    data = yaml.load(path.read_text(encoding="utf-8"), Loader=TolerantLoader)
    assert errors(data)[0] == []


class TolerantLoader(yaml.SafeLoader):
    """Ansible's tags (!unsafe, !vault) are values like others here."""


TolerantLoader.add_multi_constructor(
    "!", lambda loader, suffix, node: loader.construct_scalar(node)
)


def test_the_action_group_holds_the_modules_with_the_login_of_the_control_database():
    with_login = set()
    for name in MODULES:
        module = importlib.import_module(f"{PLUGINS}.modules.{name}")
        fragments = yaml.safe_load(module.DOCUMENTATION).get("extends_documentation_fragment", [])
        if f"{PREFIX}connection" in fragments:
            with_login.add(name)
    assert set(load("meta/runtime.yml")["action_groups"]["bucardo"]) == with_login


def test_the_readme_lists_every_module():
    missing = [name for name in MODULES if f"`{name}`" not in README]
    assert missing == []


@pytest.mark.parametrize("path", sorted((ROOT / "plugins/action").glob("*.py")))
def test_an_action_plugin_has_its_module(path):
    assert path.stem in MODULES


# Filters


@pytest.mark.parametrize("file", FILTER_FILES)
def test_filters_are_documented(file):
    module = importlib.import_module(f"{PLUGINS}.filter.{file}")
    for name, function in module.FilterModule().filters().items():
        page = load(f"plugins/filter/{name}.yml")
        documentation = page["DOCUMENTATION"]
        assert documentation["name"] == name
        parameters = list(inspect.signature(function).parameters)
        positional = documentation["positional"].split(", ")
        assert positional == ["_input", *parameters[1:]]
        assert set(documentation["options"]) == set(positional)
        assert f"{PREFIX}{name}" in page["EXAMPLES"]
        assert yaml.safe_load(page["EXAMPLES"])
        assert page["RETURN"]["_value"]["type"]


def test_no_page_describes_a_filter_that_is_gone():
    filters = set()
    for file in FILTER_FILES:
        module = importlib.import_module(f"{PLUGINS}.filter.{file}")
        filters |= set(module.FilterModule().filters())
    assert {path.stem for path in (ROOT / "plugins/filter").glob("*.yml")} == filters


# Roles


def options_of(role):
    return load(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"]["options"]


@pytest.mark.parametrize("role", ["data_seed", "preflight", "verify"])
def test_a_role_takes_every_strategy_for_sequences_that_a_bootstrap_can_be_asked_for(role):
    assert options_of(role)[f"{role}_sequences"]["choices"] == list(strategies.LASTING)


@pytest.mark.parametrize("role", ROLES)
def test_a_roles_variables_and_defaults_are_the_same(role):
    options, defaults = options_of(role), load(f"roles/{role}/defaults/main.yml")
    assert list(options) == list(defaults)
    assert all(name.startswith(f"{role}_") for name in options)
    for name, option in options.items():
        assert option["description"], name
        if "default" in option:
            assert option["default"] == defaults[name], name
        elif option["type"] != "dict":
            # What a template gives cannot be told in the specification.
            assert is_template(defaults[name]) or isinstance(defaults[name], list), name


@pytest.mark.parametrize("role", ROLES)
def test_a_roles_own_defaults_fit_its_specification(role):
    options = options_of(role)
    given = {
        name: value
        for name, value in load(f"roles/{role}/defaults/main.yml").items()
        if not is_template(value)
    }
    spec = {name: {**options[name], "required": False} for name in given}
    for option in spec.values():
        option.pop("description")
        option.pop("default", None)
    assert ArgumentSpecValidator(spec).validate(given).error_messages == []


@pytest.mark.parametrize("role", ROLES)
def test_a_role_uses_no_variable_that_it_does_not_name(role):
    text = ""
    for folder in ("tasks", "templates", "vars", "handlers", "defaults"):
        for path in (ROOT / "roles" / role / folder).rglob("*.*"):
            content = path.read_text(encoding="utf-8")
            if folder == "templates":
                content = " ".join(re.findall(r"\{[{%].*?[%}]\}", content, flags=re.S))
            text += re.sub(r"^\s*#.*$", "", content, flags=re.M)
    text = re.sub(r"multimaster\.bucardo\.\w+", "", text)
    # Names of variables stand in templates and conditions, never in quotes.
    used = set(re.findall(rf"(?<![\w.'\"/-]){role}_\w+", text))
    registered = set(re.findall(r"register: (\w+)", text))
    known = set(options_of(role)) | registered
    for other in ROLES:
        known |= set(options_of(other))
    assert used - known == set()


def test_results_of_roles_are_known_names():
    """A play that runs twice sets them, and they look like misspelt variables."""
    text = (ROOT / "roles/preflight/tasks/variables.yml").read_text(encoding="utf-8")
    registered = set()
    for path in yaml_files("roles"):
        registered |= set(re.findall(r"register: ([a-z]\w+)", path.read_text(encoding="utf-8")))
    assert {name for name in registered if f"'{name}'" not in text} == set()


def test_the_check_of_variables_knows_every_role():
    (line,) = re.findall(
        r"__preflight_roles: \[(.*)\]",
        (ROOT / "roles/preflight/tasks/variables.yml").read_text(encoding="utf-8"),
    )
    assert sorted(line.split(", ")) == ROLES


def test_tables_of_variables_in_readmes_are_current():
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/role_readmes.py"), "--check"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_shared_variables_are_listed_and_used():
    used = set()
    for path in yaml_files("roles", "playbooks"):
        if path != ROOT / SHARED:
            text = path.read_text(encoding="utf-8")
            used |= set(re.findall(r"(?<![\w/])multimaster_[a-z]\w*", text))
    assert used == set(load(SHARED))


@pytest.mark.parametrize(
    "path",
    [ROOT / "README.md", *yaml_files("molecule", "demo"), *sorted((ROOT / "docs").rglob("*.md"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_examples_set_variables_that_exist(path):
    known = {name for role in ROLES for name in options_of(role)} | set(load(SHARED))
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"(?<![\w./-])multimaster_[a-z]\w*", text)) - known == set()
    set_ = re.findall(rf"^\s*((?:{'|'.join(ROLES)})_[a-z_]+):", text, flags=re.M)
    assert set(set_) - known - set(MODULES) == set()


# Playbooks and pages


def test_the_readme_names_the_playbooks_that_exist():
    named = re.findall(rf"ansible-playbook {re.escape(PREFIX)}(\w+)", README)
    assert sorted(set(named)) == PLAYBOOKS


@pytest.mark.parametrize(
    "page",
    [path for path in tracked_files() if path.suffix == ".md"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"^\[[^]]+\]: (\S+)", text, re.M)
    broken = [
        link
        for link in links
        if not re.match(r"https?://|mailto:|#", link)
        and not (page.parent / link.split("#")[0]).exists()
    ]
    assert broken == []


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"(?:^|`)make ([a-z-]+)", README, flags=re.M)))
)
def test_targets_of_make_exist(target):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, flags=re.M)


# Paths of the machine on which something was written: home directories and the like.
ABSOLUTE = re.compile(r"(?<![\w.})$*~<-])/(?:wor[k]|hom[e]/\w|roo[t]/|User[s]/|tmp/la[b])\b")


def test_no_file_speaks_of_the_machine_on_which_it_was_written():
    found = []
    for path in tracked_files():
        with contextlib.suppress(UnicodeDecodeError):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if ABSOLUTE.search(line):
                    found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []


OUTSIDE = sorted(path for folder in ("tests", "demo") for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_is_used_of_the_collection_is_there(path):
    """Benchmarks import what nothing else here runs."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PLUGINS):
            for alias in node.names:
                package = importlib.import_module(node.module)
                if not hasattr(package, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")
