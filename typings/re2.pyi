"""The part of google-re2 that Planloom uses."""

from typing import AnyStr, Generic

class error(Exception): ...

class _Match(Generic[AnyStr]):
    def group(self, *groups: int | str) -> AnyStr: ...

class _Regexp(Generic[AnyStr]):
    def search(self, text: AnyStr) -> _Match[AnyStr] | None: ...

class Options:
    log_errors: bool

def compile(pattern: AnyStr, options: Options | None = None) -> _Regexp[AnyStr]: ...
def search(pattern: AnyStr, text: AnyStr) -> _Match[AnyStr] | None: ...
