"""The rules of the desk: `measure` reads one file, `review` cross-checks one package. Plain functions, no linecook."""

from desk_rules.facts import Finding, Page, digest_of
from desk_rules.reader import measure
from desk_rules.review import review

__all__ = ["Finding", "Page", "digest_of", "measure", "review"]
