"""One scenario that succeeds, and those that fail, for every verb there is.

A new verb needs its own here: `uncovered` names each kill point that no scenario reaches.
"""

import time

from roadstead.ops.recipes import RECIPES
from tests.crash import obstacles, share_servers
from tests.crash.scenario import (
    FORWARD,
    HOST,
    UNDO,
    End,
    Scenario,
    Stage,
    Subject,
    attachment_state,
)

ADDRESS = "10.9.8.7"
# Ganesha's parser cannot read it; the rule goes to error, with a message.
BEYOND_GANESHA = "fd00:9:8:7::/110"


def _nothing(_stage: Stage, _subject: Subject) -> None: ...


def _share(stage: Stage, subject: Subject) -> None:
    subject.share_id = stage.api.create_share(2)["id"]


def _admitted_share(stage: Stage, subject: Subject) -> None:
    _share(stage, subject)
    subject.rule_id = stage.api.allow(subject.share_id, ADDRESS)["id"]


def _share_with_bad_rule(stage: Stage, subject: Subject) -> None:
    _share(stage, subject)
    subject.rule_id = stage.api.allow(subject.share_id, BEYOND_GANESHA, wait=False)["id"]
    stage.api.wait_rule(subject.rule_id, ("error",))


def _create(size: int = 2):
    def act(stage: Stage, subject: Subject) -> None:
        subject.share_id = stage.api.create_share(size, wait=False)["id"]

    return act


def _delete(stage: Stage, subject: Subject) -> None:
    stage.api.delete_share(subject.share_id, wait=False)


def _extend(stage: Stage, subject: Subject) -> None:
    stage.api.act(subject.share_id, "extend", {"new_size": 3})


def _shrink(stage: Stage, subject: Subject) -> None:
    stage.api.act(subject.share_id, "shrink", {"new_size": 1})


def _allow(to: str):
    def act(stage: Stage, subject: Subject) -> None:
        subject.rule_id = stage.api.allow(subject.share_id, to, wait=False)["id"]

    return act


def _read_only(stage: Stage, subject: Subject) -> None:
    body = {"update_access": {"access_level": "ro"}}
    stage.api.call("PUT", f"/share-access-rules/{subject.rule_id}", body)


def _deny(stage: Stage, subject: Subject) -> None:
    stage.api.deny(subject.share_id, subject.rule_id, wait=False)


def _probe(stage: Stage, subject: Subject) -> None:
    url = f"{stage.api.url}/roadstead/v1/shares/{subject.share_id}/probe"
    stage.api.session.post(url, timeout=60).raise_for_status()


def _attach_to(odd: bool = False):
    def act(stage: Stage, subject: Subject) -> None:
        vm = stage.host.odd_vm if odd else stage.host.vm
        body = {"attachment": {"share_id": subject.share_id, "vm": vm.id}}
        url = f"{stage.api.url}/roadstead/v1/attachments"
        answer = stage.api.session.post(url, json=body, timeout=60)
        assert answer.status_code == 202, answer.text
        subject.attachment_id = answer.json()["attachment"]["id"]

    return act


def _attached(stage: Stage, subject: Subject) -> None:
    _share(stage, subject)
    _attach_to()(stage, subject)
    end = time.monotonic() + 60
    while attachment_state(stage.api, subject.attachment_id) != "active":
        assert time.monotonic() < end, "not attached"
        time.sleep(0.02)


def _detach(stage: Stage, subject: Subject) -> None:
    url = f"{stage.api.url}/roadstead/v1/attachments/{subject.attachment_id}"
    answer = stage.api.session.delete(url, timeout=60)
    assert answer.status_code == 202, answer.text


SCENARIOS = (
    Scenario(verb="share.create", prepare=_nothing, act=_create(), end=End()),
    Scenario(
        verb="share.create", prepare=_nothing, act=_create(3), end=End(status="error", size=3),
        fails_at="pool", obstacle=obstacles.no_file_above_two_gib,
    ),
    Scenario(
        verb="share.create", prepare=_nothing, act=_create(), end=End(status="error"),
        fails_at="export", obstacle=obstacles.next_export_number_strange,
    ),
    Scenario(verb="share.delete", prepare=_admitted_share, act=_delete, end=End(status=None)),
    Scenario(
        verb="share.delete", prepare=_share, act=_delete, end=End(status="error_deleting"),
        fails_at="pool", obstacle=obstacles.image_cannot_be_moved,
    ),
    Scenario(verb="share.extend", prepare=_share, act=_extend, end=End(size=3)),
    Scenario(
        verb="share.extend", prepare=_share, act=_extend, end=End(status="extending_error"),
        fails_at="size", obstacle=obstacles.no_file_above_two_gib,
    ),
    Scenario(verb="share.shrink", prepare=_share, act=_shrink, end=End(size=1)),
    Scenario(
        verb="share.shrink", prepare=_share, act=_shrink, end=End(),
        fails_at="size", obstacle=obstacles.data_does_not_fit,
    ),
    Scenario(
        verb="share.probe", prepare=_admitted_share, act=_probe,
        end=End(rules={ADDRESS: ("rw", "active")}),
    ),
    Scenario(
        verb="share.probe", prepare=_admitted_share, act=_probe,
        end=End(rules={ADDRESS: ("rw", "active")}),
        fails_at="probe", obstacle=obstacles.export_file_cannot_be_replaced,
    ),
    Scenario(
        verb="access.apply", prepare=_share, act=_allow(ADDRESS),
        end=End(rules={ADDRESS: ("rw", "active")}),
    ),
    Scenario(
        verb="access.apply", prepare=_share, act=_allow(BEYOND_GANESHA),
        end=End(rules={BEYOND_GANESHA: ("rw", "error")}), fails_at="access",
    ),
    Scenario(
        verb="access.update", prepare=_admitted_share, act=_read_only,
        end=End(rules={ADDRESS: ("ro", "active")}),
    ),
    Scenario(
        verb="access.update", prepare=_share_with_bad_rule, act=_read_only,
        end=End(rules={BEYOND_GANESHA: ("ro", "error")}), fails_at="access", failures_before=1,
    ),
    Scenario(verb="access.deny", prepare=_admitted_share, act=_deny, end=End()),
    Scenario(
        verb="access.deny", prepare=_admitted_share, act=_deny,
        end=End(rules={ADDRESS: ("rw", "error")}),
        fails_at="access", obstacle=obstacles.server_refuses_export,
    ),
    Scenario(
        verb="attachment.attach", prepare=_share, act=_attach_to(),
        end=End(attachment=("active",), rules={HOST: ("rw", "active")}),
    ),
    Scenario(
        verb="attachment.attach", prepare=_share, act=_attach_to(odd=True),
        end=End(attachment=("error",)), fails_at="plug",
    ),
    Scenario(
        verb="attachment.detach", prepare=_attached, act=_detach, end=End(attachment=()),
    ),
    Scenario(
        verb="attachment.detach", prepare=_attached, act=_detach,
        # The VM has it still: the next look finds it whole.
        end=End(attachment=("error", "active"), rules={HOST: ("rw", "active")}),
        fails_at="unplug", obstacle=obstacles.vm_cannot_be_redefined,
    ),
    *share_servers.SCENARIOS,
)  # fmt: skip
# It runs on the host to which a VM is about to migrate, and a stage has one host: it is killed in
# memory (tests/unit/ops/test_migration.py).
_TWO_HOSTS = frozenset(("attachment.prepare",))
# They only refuse, and touch nothing but the server's row (tests/unit/ops/test_share_servers.py).
_REFUSALS = frozenset(("share_server.manage", "share_server.unmanage"))
# What these steps meet passes, and the recipe waits for it as long as it takes: no way back.
_ONLY_WAIT = frozenset(("attachment.detach", step) for step in ("unbind", "unmount", "revoke"))


def uncovered() -> list[str]:
    """`verb:step:phase` of every kill point that no scenario reaches."""
    reached = {(s.verb, *point) for s in SCENARIOS for point in s.points()}
    return [
        f"{verb}:{step.name}:{phase}"
        for verb, recipe in RECIPES.items()
        for step in recipe.steps
        for phase in (*FORWARD, *UNDO)
        if (verb, step.name, phase) not in reached
        and verb not in _TWO_HOSTS
        and verb not in _REFUSALS
        and not (phase in UNDO and (verb, step.name) in _ONLY_WAIT)
    ]
