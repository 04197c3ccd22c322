"""Why a source, and not the job, fails."""


class RefusedSource(Exception):
    """A source that cannot be read as a whole: its owner's to mend. It ends that source, not the batch."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ObjectGone(RefusedSource):
    """The object, or the version of it that was meant, does not exist any more."""

    def __init__(self, key: str) -> None:
        super().__init__("gone", f"{key} is gone, or is no longer the version that landed.")
