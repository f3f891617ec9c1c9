"""Whoever follows a measurement without a word."""


class Silence:
    """A witness that says nothing; counts must make sense all the same."""

    def stage(self, text: str) -> None:
        pass

    def count(self, done: int, total: int) -> None:
        assert 0 <= done <= total
