# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The edge between Ansible and the rest: the only place that knows AnsibleModule."""

from __future__ import annotations

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .._common.change import Change, Plan, Scope
from .._common.errors import MultimasterError
from .._postgres import pg
from .._postgres.conninfo import SECRET_KEYWORDS
from . import runlog
from .options import Spec

Params = t.Dict[str, t.Any]


class _Module(AnsibleModule):
    """Keeps secrets that AnsibleModule does not know from the system's log and from every result.

    It knows options by their names: not what was put into a dictionary of free keys, and not what
    looks different inside the printed form of a list.
    """

    def _log_invocation(self) -> None:
        self._hide()
        params = self.params
        self.params = _masked(params, self.no_log_values)
        try:
            super()._log_invocation()  # type: ignore[no-untyped-call]
        finally:
            self.params = params

    def exit_json(self, **kwargs: t.Any) -> t.NoReturn:
        """As the parent's."""
        self._hide()
        super().exit_json(**kwargs)

    def fail_json(self, msg: str, **kwargs: t.Any) -> t.NoReturn:
        """As the parent's; it is also called while the options are still being looked at."""
        self._hide()
        super().fail_json(msg, **kwargs)

    def _hide(self) -> None:
        self.no_log_values.update(free_secrets(self.params))


def free_secrets(value: t.Any) -> set[str]:
    """What was given to keys of that name, at any depth of a module's parameters."""
    if isinstance(value, dict):
        found = {str(given) for key, given in value.items() if key in SECRET_KEYWORDS and given}
        return found.union(*map(free_secrets, value.values()))
    if isinstance(value, (list, tuple)):
        return set().union(*map(free_secrets, value))
    return set()


def run(argument_spec: Spec, plan: Plan, **module_options: t.Any) -> t.NoReturn:
    """Run a module: `plan(params, scope)` reads, and returns a Change that knows how it is done.

    Check mode is decided here and nowhere else: the plan is then what the module returns.
    """
    options = {"supports_check_mode": True, **module_options}
    module = _Module(argument_spec=argument_spec, **options)  # type: ignore[no-untyped-call]
    if pg.IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib("psycopg2"), exception=pg.IMPORT_ERROR)
    began = time.monotonic()

    def note(outcome: str, what: list[str]) -> None:
        if not module.check_mode:
            seconds = time.monotonic() - began
            lines = _masked(what, module.no_log_values)
            runlog.note(module._name, outcome, seconds, lines)

    try:
        with Scope(check=module.check_mode) as scope:
            change = plan(module.params, scope)
            if not module.check_mode:
                change.apply()
    except MultimasterError as error:
        note("failed", [error.one_line])
        module.fail_json(msg=error.one_line, **_masked(error.details, module.no_log_values))
    if change.changed:
        note("changed", change.commands)
    for line in change.warnings:
        module.warn(line)
    module.exit_json(**_masked(_result(change), module.no_log_values))


def _result(change: Change) -> dict[str, t.Any]:
    output: dict[str, t.Any] = {"changed": change.changed, **change.values}
    if change.commands:
        output["commands"] = change.commands
    if change.disturbs:
        output["disturbs"] = change.disturbs
    if change.before is not None or change.after is not None:
        output["diff"] = {"before": change.before or {}, "after": change.after or {}}
    return output


def _masked(value: t.Any, secrets: t.Collection[str]) -> t.Any:
    """Replace every secret inside texts.

    AnsibleModule does the same for its result, but not inside keys and not for escaped forms.
    """
    if isinstance(value, str):
        for secret in sorted((s for s in secrets if s), key=len, reverse=True):
            for form in (secret, secret.replace("'", "''"), secret.replace("\\", "\\\\")):
                value = value.replace(form, "********")
        return value
    if isinstance(value, dict):
        return {_masked(k, secrets): _masked(v, secrets) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(v, secrets) for v in value]
    return value
