"""Reads the fields of a definition one by one; what is wrong is noted with its place and reading goes on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from afterword.errors import nearest
from afterword.intake.definition_files import Written

MAX_TEXT = 255
_SHOWN = 60

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a definition something stands, as text: `campaigns[2] "cart-rescue" variants[0] "a".share`."""

    text: str = ""
    path: tuple[str | int, ...] = ()
    """The same as keys and positions, without what things are called."""

    def field(self, name: str) -> Place:
        """The place of a field of this mapping."""
        path = (*self.path, name)
        if not self.text:
            return Place(name, path)
        return Place(f"{self.text} {name}" if self.text.endswith('"') else f"{self.text}.{name}", path)

    def item(self, index: int, label: str | None = None) -> Place:
        """The place of an item of this list, with its id where it has one."""
        return Place(f"{self.text}[{index}]" + (f' "{label}"' if label else ""), (*self.path, index))


class Problem(str):
    """What is wrong, as a text that begins with the place; a form shows the message beside the field of the path."""

    path: tuple[str | int, ...]
    message: str

    def __new__(cls, place: Place, message: str) -> Problem:
        """Make one of its place and its message."""
        made = super().__new__(cls, f"{place.text}: {message}" if place.text else message)
        made.path, made.message = place.path, message
        return made


class Problems:
    """What is wrong, in the order in which it was found."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, place: Place, message: str) -> None:
        """Note one problem."""
        self.found.append(Problem(place, message))


class Record:
    """A mapping of the definition with its place. Readers note a problem and return None, or what is harmless."""

    def __init__(self, data: Mapping[object, object], place: Place, problems: Problems) -> None:
        self.place = place
        self.problems = problems
        # A field without a value (`apps:`) is a field that is not there.
        self.data = {written_text(key) or str(key): value for key, value in data.items() if value is not None}

    def problem(self, name: str, message: str) -> None:
        """Note a problem of one field."""
        self.problems.add(self.place.field(name), message)

    def allow(self, known: Sequence[str]) -> None:
        """Note the keys that are not known."""
        for key in self.data:
            if key not in known:
                hint = nearest(key, known) or f", known are {', '.join(known)}"
                self.problems.add(self.place, f'unknown key "{shorten(key)}"{hint}')

    def has(self, name: str) -> bool:
        """Return whether the field has a value."""
        return name in self.data

    def text(self, name: str, *, required: bool = False) -> str | None:
        """Return a text of 1 to 255 characters; numbers count as they are written."""
        if name not in self.data:
            if required:
                self.problem(name, f"{name} is missing")
            return None
        return self._checked_text(self.place.field(name), name, self.data[name])

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts, each once, in the order of the file."""
        found = [self._checked_text(place, "an item", item) for place, item in self._items(name, "texts")]
        return tuple(dict.fromkeys(text for text in found if text is not None))

    def flag(self, name: str) -> bool:
        """Return true or false; false if the field is missing."""
        value = self.data.get(name, False)
        if isinstance(value, Written):
            value = value.value
        if isinstance(value, bool):
            return value
        self.problem(name, f"{name} is {show(self.data[name])}, must be true or false")
        return False

    def choice(self, name: str, kind: type[Choice], *, required: bool = False) -> Choice | None:
        """Return one of a closed list of names."""
        if name not in self.data:
            if required:
                self.problem(name, f"{name} is missing, must be one of {', '.join(kind)}")
            return None
        return self._checked_choice(self.place.field(name), name, kind, self.data[name])

    def choices(self, name: str, kind: type[Choice]) -> tuple[Choice, ...]:
        """Return a list of such names, each once."""
        noun = name.removesuffix("s")
        found = [self._checked_choice(place, noun, kind, item) for place, item in self._items(name, "names")]
        return tuple(dict.fromkeys(choice for choice in found if choice is not None))

    def record(self, name: str, known: Sequence[str]) -> Record | None:
        """Return a mapping, its unknown keys noted; None if the field is missing."""
        value = self.data.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self.problem(name, f"{name} is {show(value)}, must be a mapping of {', '.join(known)}")
            return None
        record = Record(value, self.place.field(name), self.problems)
        record.allow(known)
        return record

    def records(self, name: str, known: Sequence[str]) -> Iterator[Record]:
        """Yield the mappings of a list, each with its id in its place, their unknown keys noted."""
        for index, (place, item) in enumerate(self._items(name, "mappings")):
            if not isinstance(item, Mapping):
                self.problems.add(place, f"is {show(item)}, must be a mapping of {', '.join(known)}")
                continue
            label = written_text(item.get("id"))
            record = Record(item, self.place.field(name).item(index, shorten(label) if label else None), self.problems)
            record.allow(known)
            yield record

    def _items(self, name: str, noun: str) -> list[tuple[Place, object]]:
        value = self.data.get(name, ())
        place = self.place.field(name)
        if not isinstance(value, list | tuple):
            self.problems.add(place, f"{name} is {show(value)}, must be a list of {noun}")
            return []
        return [(place.item(index), item) for index, item in enumerate(value)]

    def _checked_text(self, place: Place, noun: str, value: object) -> str | None:
        text = written_text(value)
        if text is None:
            self.problems.add(place, f"{noun} is {show(value)}, must be text")
        elif not text.strip():
            self.problems.add(place, f"{noun} is empty")
        elif len(text) > MAX_TEXT:
            self.problems.add(place, f"{noun} has {len(text)} characters, at most {MAX_TEXT} are allowed")
        elif not is_unicode(text):
            self.problems.add(place, f"{noun} is not valid Unicode")
        else:
            return text
        return None

    def _checked_choice(self, place: Place, noun: str, kind: type[Choice], value: object) -> Choice | None:
        text = written_text(value)
        names: Collection[str] = [str(member) for member in kind]
        if text is not None and text in names:
            return kind(text)
        if text is None:
            self.problems.add(place, f"{noun} is {show(value)}, must be one of {', '.join(names)}")
        else:
            hint = nearest(text, names) or f", must be one of {', '.join(names)}"
            self.problems.add(place, f'unknown {noun} "{shorten(text)}"{hint}')
        return None


def written_text(value: object) -> str | None:
    """Return the text of an id or name: as it is written, integers by their digits; None if it has none."""
    if isinstance(value, str):
        return str(value)  # the name of an enum's member too
    if isinstance(value, Written):
        return value.text
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def written_duration(value: object) -> str | None:
    """Return what may be a duration, as it is written; None for what is none at all, such as true or a list."""
    if isinstance(value, Written) and isinstance(value.value, bool):
        return None
    return (
        repr(value) if isinstance(value, float) else str(value) if isinstance(value, Decimal) else written_text(value)
    )


def written_number(value: object) -> Decimal | None:
    """Return the exact number; None for anything else, for NaN and for infinity."""
    if isinstance(value, Written):
        value = value.value
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        value = Decimal(repr(value))  # the shortest text that is this float: what its author wrote
    if isinstance(value, int):
        return Decimal(value)
    return value if isinstance(value, Decimal) and value.is_finite() else None


def is_unicode(text: str) -> bool:
    """Return whether UTF-8 can hold the text; JSON can smuggle in halves of surrogate pairs."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def show(value: object) -> str:
    """Return a value as a message names it: short, and lists and mappings by their kind only."""
    if isinstance(value, str):
        return f'"{shorten(value)}"'
    if isinstance(value, Written):
        return shorten(value.text)
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, int | float | Decimal):
        return shorten(str(value))
    return f"a Python {type(value).__name__}"


def shorten(text: str) -> str:
    """Return the beginning of a long text, on one line and printable."""
    cut = text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in cut)
