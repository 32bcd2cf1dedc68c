"""People on call for tests."""

import datetime as dt

from releve.model.help import Channel, Responder, Rota, Shift

T0 = dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC)


def person(identity: str, *channels: str, url: str = "json://127.0.0.1:9/") -> Responder:
    names = channels or ("sms",)
    return Responder(
        id=identity,
        name=f"{identity.capitalize()} Martin",
        channels=tuple(Channel(name=n, url=f"{url}{identity}/{n}") for n in names),
    )


def always(*people: Responder) -> Rota:
    """Everybody, at every hour, in this order."""
    shifts = tuple(Shift(person=p.id, rank=n) for n, p in enumerate(people, 1))
    return Rota(timezone="Europe/Paris", people=people, shifts=shifts)
