"""The host's place at the server, and what its agent runs from now on."""

import msgspec

from releve.apps.agent.config import Config, Home
from releve.apps.agent.enrolling import Joining, join
from releve.apps.install.places import Places
from releve.apps.install.telling import State, Step
from releve.flow.envelope import read_token
from releve.model.errors import ReleveError
from releve.model.installer import Guarding, HostPlan

NAME = "enrol"


class OtherHostError(ReleveError):
    """The installer is another host's, or this machine belongs to another structure."""

    status = 61
    remedy = "Run on each machine the installer that bears its name; see `releve agent status`."

    def __init__(self, plan: HostPlan, config: Config) -> None:
        super().__init__(
            f"This machine is {config.host_name} of {config.structure_name}, the installer is"
            f" for {plan.host} of {plan.structure}."
        )


class NoTokenError(ReleveError):
    """The installer was made for a host that is enrolled, and this one is not."""

    status = 62
    remedy = (
        "If the machine was set up anew: make a token with `releve server token create`, run"
        " `releve agent enrol --token TOKEN --name NAME`, then this installer again."
    )

    def __init__(self, plan: HostPlan) -> None:
        super().__init__(f"The server knows {plan.host} already, and this machine is not enrolled.")


def enrolled(plan: HostPlan, places: Places) -> Step:
    """Enrol once. Raises: OtherHostError, NoTokenError, those of `releve agent enrol`."""
    home = places.agent()
    if home.is_enrolled():
        config = home.config()
        _check(plan, config)
        return Step(name=NAME, state=State.KEPT, said=_said(config))
    if not plan.token:
        raise NoTokenError(plan)
    config = join(home, plan.token, Joining(name=plan.host))
    return Step(name=NAME, state=State.DONE, said=_said(config))


def _check(plan: HostPlan, config: Config) -> None:
    """Raises: OtherHostError."""
    token = read_token(plan.token) if plan.token else None
    is_same = (config.structure_name, config.host_name) == (plan.structure, plan.host)
    if not is_same or (token is not None and token.server_key != config.server_key):
        raise OtherHostError(plan, config)


def _said(config: Config) -> str:
    return f"{config.host_name} → {config.structure_name}, {config.url}"


def keep_words(plan: HostPlan, places: Places) -> bool:
    """Give the agent what it runs; words that a person put there stay. True: something is new."""
    home = places.agent()
    before = home.config()
    after = _words(plan, places, before)
    if after != before:
        home.write_config(after)
    return after != before


def _words(plan: HostPlan, places: Places, config: Config) -> Config:
    if not plan.folders:
        return msgspec.structs.replace(config, no_folders=True)
    backup = config.backup or ("--state", str(places.backup))
    drill = config.drill or ("--drills", str(places.drills))
    guard = _guard(plan, config)
    return msgspec.structs.replace(
        config, backup=backup, drill=drill, guard=guard, no_folders=False
    )


def _guard(plan: HostPlan, config: Config) -> tuple[str, ...]:
    if plan.guard is Guarding.OFF:
        return config.guard
    new = [folder for folder in plan.folders if folder not in config.guard]
    added = tuple(word for folder in new for word in ("--protect", folder))
    acts = () if config.guard or plan.guard is Guarding.WATCH else ("--enforce",)
    return (*config.guard, *added, *acts)


def is_working(home: Home) -> bool:
    """Whether an agent works on this home, at this moment."""
    from releve.apps.agent.wiring import AgentRunningError, only_agent

    try:
        with only_agent(home):
            return False
    except AgentRunningError:
        return True
