"""Playbooks: reflex steps as dated content, and what people did of them in one incident."""

import datetime as dt

import msgspec

from releve.model.sentence import Sentence

WHO = ("doctor", "it", "operator", "dpo")
ACTIONS = ("isolate", "stop", "release", "restore")


class _Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read from content: a word that is not known is an error."""


class PlaybookStep(_Written, frozen=True, kw_only=True):
    """`kind`: "human", or "automatic" (proposes the existing `action`)."""

    id: str
    kind: str
    who: str  # of WHO
    say: Sentence
    action: str = ""  # of ACTIONS
    undo: Sentence | None = None  # how it is taken back; None: there is nothing to take back


class Playbook(_Written, frozen=True, kw_only=True):
    id: str
    title: Sentence
    dated: str
    sources: tuple[str, ...]
    safe: Sentence  # what people need not fear
    steps: tuple[PlaybookStep, ...]

    def step(self, step: str) -> PlaybookStep | None:
        return next((s for s in self.steps if s.id == step), None)


class Proposed(_Written, frozen=True, kw_only=True):
    """Which playbook an incident with one of these findings proposes."""

    playbook: str
    findings: tuple[str, ...]  # their kinds


class AfterTask(_Written, frozen=True, kw_only=True):
    """What is looked at again, so many days after an incident was closed."""

    id: str
    days: int
    say: Sentence


class Ransom(_Written, frozen=True, kw_only=True):
    """What stands beside the record of a decision about a ransom."""

    dated: str
    source: str
    advice: Sentence


class Playbooks(msgspec.Struct, frozen=True, kw_only=True):
    """The content that incidents are handled with."""

    playbooks: tuple[Playbook, ...]
    after: tuple[AfterTask, ...]
    ransom: Ransom
    proposed: tuple[Proposed, ...] = ()  # the first that fits is proposed

    def named(self, playbook: str) -> Playbook | None:
        return next((p for p in self.playbooks if p.id == playbook), None)


class StepWord(msgspec.Struct, frozen=True, kw_only=True):
    """The last word on a step. `state`: "done", "skipped", "undone", "proposed"."""

    step: str
    state: str
    by: str
    at: dt.datetime
    why: str = ""
    actions: tuple[str, ...] = ()  # that it proposed


class PlaybookRun(msgspec.Struct, frozen=True, kw_only=True):
    """A playbook in one incident; `dated` is the content's day that people followed."""

    id: str
    incident: str
    playbook: str
    dated: str
    started_at: dt.datetime
    started_by: str
    words: tuple[StepWord, ...] = ()  # one a step

    def word(self, step: str) -> StepWord | None:
        return next((w for w in self.words if w.step == step), None)
