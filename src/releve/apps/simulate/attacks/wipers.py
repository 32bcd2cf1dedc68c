"""Wipers: nothing is kept, not even encrypted."""

import os

from releve.apps.simulate.attacks.inplace import write_over
from releve.apps.simulate.field import Field
from releve.apps.simulate.profile import Profile


def random_overwrite(field: Field) -> None:
    for path in field.writable():
        noise = os.urandom(path.stat().st_size)
        field.destroying(path)
        write_over(path, noise)


def truncate(field: Field) -> None:
    """By its path: the file is never opened."""
    for path in field.writable():
        field.destroying(path)
        os.truncate(path, 0)


def unlink(field: Field) -> None:
    """By their paths: no file is opened."""
    for path in list(field.victims()):
        field.destroying(path)
        path.unlink()


PROFILES: tuple[Profile, ...] = (
    Profile(
        name="wipe-random", kind="wiper", title="effaceur : écrire du hasard", title_en="wiper: random overwrite",
        act=random_overwrite,
    ),
    Profile(
        name="wipe-truncate", kind="wiper", title="effaceur : truncate par le chemin",
        title_en="wiper: truncate(2) by path", act=truncate,
    ),
    Profile(
        name="wipe-unlink", kind="wiper", title="effaceur : unlink sans ouvrir", title_en="wiper: unlink without open",
        act=unlink,
        condition="L'effacement seul suspend le programme sans le tuer : tout est rendu, une personne décide.",
    ),
)  # fmt: skip
