"""XML, streamed: one record element in memory at a time. Entities and document types are refused, nothing is fetched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lxml import etree

from connectors.contract import Column, Feed, Kind, Table
from connectors.readers.received import Parsed, ReadableFile, RowWriter, UnreadableFile, columns_of
from warehouse.schema import PLACE_OF_RECORD

_NONE: dict[str, Any] = {}
_BLANK_BEFORE = 64


def read(feed: Feed, file: ReadableFile) -> list[Parsed]:
    """Reads the feed's record elements and the tables inside them."""
    record = feed.tables[0].element or feed.tables[0].name
    writers = {table.name: RowWriter(file.con, table) for table in feed.tables}
    numbers = dict.fromkeys(writers, 0)
    header: dict[str, str | None] = {}
    header_paths = {c.path for table in feed.tables for c in table.columns if c.path and c.path.startswith("/")}
    elements = {table.element or table.name for table in feed.tables}
    known = {table.name: _known_children(feed, table) for table in feed.tables}
    columns = {table.name: [_Place(column) for column in table.columns] for table in feed.tables}
    key = [_Place(feed.tables[0].column(name)) for name in feed.tables[0].key]
    numbered = any(place.is_number for places in columns.values() for place in places)
    counted: dict[tuple[str | None, ...], dict[str, int]] = {}
    for place, element in enumerate(_records(file, record, header_paths, header), 1):
        inside = _Inside(element)
        nameless = not all(inside.value(element, part, header) for part in key)
        if numbered:
            # A document may tell of one child in two records: the second and its parts are counted on from the first.
            of_key = counted.setdefault(tuple(inside.value(element, part, header) for part in key), {})
            inside.number(of_key, elements)
        for table in feed.tables:
            name = table.element or table.name
            for row in [element] if name == record else inside.named.get(name, ()):
                numbers[table.name] += 1
                values = [inside.value(row, column, header) for column in columns[table.name]]
                unused = inside.unused(row, known[table.name], elements)
                content = _with_its_place(place, table, values, unused) if nameless else None
                writers[table.name].add(numbers[table.name], values, unused, content=content)
    return [writer.parsed() for writer in writers.values()]


def _records(file: ReadableFile, record: str, header_paths: set[str], header: dict[str, str | None]) -> Iterator[Any]:
    with file.open() as stream:
        start = stream.read(_BLANK_BEFORE)
        if not start:
            raise UnreadableFile(f"{file.name}: the file holds no bytes; ask the agency to send it again")
        # Templates leave a blank line before the declaration, which a parser does not allow and nobody could misread.
        stream.seek(len(start) - len(start.lstrip()))
        events = etree.iterparse(
            stream,
            events=("start", "end"),
            # Of a large document only its records come to Python, not every element in them.
            tag="{*}" + record,
            resolve_entities=False,
            no_network=True,
            huge_tree=False,
            load_dtd=False,
            remove_comments=True,
            remove_pis=True,
        )
        try:
            for event, element in events:
                if event == "start":
                    _refuse_document_type(file, element)
                    continue
                if not header:
                    header.update(_header(element.getroottree().getroot(), header_paths))
                yield element
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
        except etree.XMLSyntaxError as error:
            # The parser's own message can quote the document; ours says where, and what kind of fault.
            first = next((entry for entry in reversed(events.error_log) if entry.line), None)
            place = f", line {first.line}, column {first.column}" if first else ""
            raise UnreadableFile(
                f"{file.name}{place}: not well-formed XML ({_fault(first.type if first else error.code)}); "
                "nothing of this file was used; ask the agency to send it again"
            ) from None
        if not header:
            _refuse_document_type(file, events.root)
        if not header and not any(_header(events.root, header_paths).values()):
            raise UnreadableFile(
                f"{file.name}: holds no {record} element and none of its header's; ask the agency whether it sent the right file"
            )


def _refuse_document_type(file: ReadableFile, element: Any) -> None:
    if element.getroottree().docinfo.internalDTD is not None:
        raise UnreadableFile(
            f"{file.name}: has a document type declaration, which is refused (it can hide entities); "
            "ask the agency to send plain XML"
        )


def _fault(kind: int) -> str:
    faults = {
        etree.ErrorTypes.ERR_UNDECLARED_ENTITY: "an entity that is not defined",
        etree.ErrorTypes.WAR_UNDECLARED_ENTITY: "an entity that is not defined",
        etree.ErrorTypes.ERR_TAG_NAME_MISMATCH: "an element closed by another's end tag",
        etree.ErrorTypes.ERR_NAME_REQUIRED: "a tag without a name, or the file ends there",
        etree.ErrorTypes.ERR_TAG_NOT_FINISHED: "the file ends within an element",
        etree.ErrorTypes.ERR_DOCUMENT_END: "the file ends too early or goes on after its end",
        etree.ErrorTypes.ERR_INVALID_CHAR: "a character that XML does not allow",
        etree.ErrorTypes.ERR_INVALID_ENCODING: "bytes that are no text in its encoding",
        etree.ErrorTypes.ERR_UNSUPPORTED_ENCODING: "an encoding that nobody knows",
        etree.ErrorTypes.ERR_DOCUMENT_EMPTY: "no document",
        etree.ErrorTypes.ERR_ENTITY_LOOP: "entities that contain each other",
        etree.ErrorTypes.ERR_RESERVED_XML_NAME: "an XML declaration that is not at the very beginning",
        etree.ErrorTypes.ERR_RESOURCE_LIMIT: "a text, a name or a nesting longer than any record's",
    }
    return faults.get(kind, f"fault {kind}")


class _Place:
    """Where a column's value stands, its path taken apart once and not at every row."""

    def __init__(self, column: Column) -> None:
        path = column.path or column.name
        steps = [step for step in path.split("/") if step != "."]
        self.header = path if path.startswith("/") else None
        self.is_number = path.endswith("#")
        self.is_list = column.kind is Kind.JSON
        self.last = steps[-1] if steps else ""
        self.steps = steps[:-1] if self.is_number or self.is_list else steps


class _Inside:
    """One record, walked once: its elements by name, and each element's first child of a name."""

    def __init__(self, record: Any) -> None:
        self.named: dict[str, list[Any]] = {}
        self._children: dict[Any, dict[str, Any]] = {}
        self._numbers: dict[Any, int] = {}
        self._record = record
        for element in record.iter(etree.Element):
            name = _localname(element)
            self.named.setdefault(name, []).append(element)
            if element is not record:
                self._children.setdefault(element.getparent(), {}).setdefault(name, element)

    def number(self, counted: dict[str, int], rows: set[str]) -> None:
        """Numbers elements among those of their name in one row; the record and what is in no other row from `counted` on.

        A group that holds several may itself come several times, one for each: it makes no row and begins no new count.
        """
        for name, elements in self.named.items():
            counts: dict[Any, int] = {self._record: counted.get(name, 0)}
            for element in elements:
                within = self._row_above(element, rows)
                self._numbers[element] = counts[within] = counts.get(within, 0) + 1
            counted[name] = counts[self._record]

    def _row_above(self, element: Any, rows: set[str]) -> Any:
        while element is not self._record:
            element = element.getparent()
            if _localname(element) in rows:
                break
        return element

    def _find(self, element: Any, steps: list[str]) -> Any:
        for step in steps:
            if element is None:
                return None
            element = element.getparent() if step == ".." else self._children.get(element, _NONE).get(step)
        return element

    def value(self, row: Any, place: _Place, header: dict[str, str | None]) -> str | None:
        """The text that stands there; for a JSON column every subtree of that name."""
        if place.header:
            return header.get(place.header)
        element = self._find(row, place.steps)
        if place.is_number:
            number = self._numbers.get(element)
            return None if number is None else str(number)
        if place.is_list:
            found = [] if element is None else [child for child in element if _localname(child) == place.last]
            return json.dumps([_tree(each) for each in found], ensure_ascii=False) if found else None
        return _text(element)

    def unused(self, row: Any, known: set[str], rows: set[str]) -> str | None:
        """JSON of the row's children that the contract does not use, and that hold nothing which makes a row."""
        unknown = {
            name: _tree(child)
            for name, child in self._children.get(row, {}).items()
            if name not in known and not any(_localname(inner) in rows for inner in child.iter(etree.Element))
        }
        return json.dumps(unknown, ensure_ascii=False) if unknown else None


def _with_its_place(place: int, table: Table, values: list[str | None], unused: str | None) -> str:
    """A row that will be held back, as landing writes it, and which record of the document it is part of: it does not say whose it is."""
    return json.dumps(
        dict(zip(columns_of(table), values, strict=True))
        | ({"extra": json.loads(unused)} if unused else {})
        | {PLACE_OF_RECORD: place},
        ensure_ascii=False,
    )


def _localname(element: Any) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _header(root: Any, paths: set[str]) -> dict[str, str | None]:
    """The document's header: paths below the root, read before the first record."""
    found: dict[str, str | None] = {}
    for path in paths:
        element = root
        for step in path.strip("/").split("/"):
            element = element.find("{*}" + step) if element is not None else None
        found[path] = _text(element)
    return found


def _text(element: Any) -> str | None:
    if element is None:
        return None
    return (element.text or "").strip() or None


def _tree(element: Any) -> Any:
    if len(element) == 0:
        return (element.text or "").strip() or None
    tree: dict[str, Any] = {}
    for child in element:
        name, value = _localname(child), _tree(child)
        if name in tree:
            tree[name] = [*tree[name], value] if isinstance(tree[name], list) else [tree[name], value]
        else:
            tree[name] = value
    return tree


def _known_children(feed: Feed, table: Table) -> set[str]:
    """Names of child elements of a row that the contract's columns use, of this table or by a path of another."""
    used = {(column.path or column.name).split("/")[0] for column in table.columns}
    climbed = {
        c.path.split("/")[0]
        for other in feed.tables
        for c in other.columns
        if c.path and not c.path.startswith(("/", ".."))
    }
    return used | climbed
