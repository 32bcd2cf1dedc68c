"""What an agent asked is not taken, and why."""


class Refused(Exception):  # noqa: N818  # a control value, not an error for people
    """`why`: "unknown_agent", "forged", "clock", "replayed"; of a call for help "too_many"."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
