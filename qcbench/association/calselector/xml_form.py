"""The XML form of a calSelector answer, read with care: it comes over the net, or from a file edited by hand."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Never
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.saxutils import escape, quoteattr
from xml.sax.xmlreader import AttributesImpl, InputSource, Locator

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import create_parser

from qcbench.association.calselector.tree import AssociationTree, FileEntry
from qcbench.core.errors import QcbenchError
from qcbench.core.paths import safe_name

MAX_BYTES = 1 << 26
# real cascades have three or four levels
MAX_DEPTH = 64

_CHILDREN = {
    "": ("association",),
    "association": ("mainFiles", "messages", "associatedFiles"),
    "mainFiles": ("file",),
    "messages": ("message",),
    "associatedFiles": ("association",),
    "file": (),
    "message": (),
}
_ATTRIBUTES = {
    "association": (("category", "certified", "complete", "type"), ("mode", "match")),
    "file": (("category", "name"), ()),
}
_TRUTH = {"true": True, "false": False}
# ESO's service breaks the line of a tag here, and only once
_WIDTH = 72
_INDENT = "    "
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class TreeError(QcbenchError):
    """A calSelector answer is not of its form: where, what was expected, and the remedy."""

    exit_code = 4

    def __init__(self, source: Path | str, line: int, column: int, problem: str):
        self.source, self.line, self.column, self.problem = str(source), line, column, problem
        remedy = "Get the answer anew, or correct the file"
        super().__init__(f"{source}:{line}:{column}: {problem}. {remedy}")


def read_tree(path: Path) -> AssociationTree:
    """Read a calSelector answer from a file.

    Raises
    ------
    TreeError
        It can't be read, is too large, or is not of that form.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise TreeError(path, 1, 1, f"expected at most {MAX_BYTES} bytes, found {size}")
        content = path.read_bytes()
    except OSError as err:
        raise TreeError(path, 1, 1, f"can't be read: {err.strerror}") from err
    return parse_tree(content, str(path))


def parse_tree(text: str | bytes, source: str) -> AssociationTree:
    """Read a calSelector answer.

    Parameters
    ----------
    text : str or bytes
        The XML; bytes are decoded as it declares.
    source : str
        Where it comes from, for messages.

    Raises
    ------
    TreeError
        It is no XML, declares a document type or entities, or is not of that form.
    """
    parser = create_parser(forbid_dtd=True)
    handler = _Handler(source, parser)
    parser.setContentHandler(handler)
    document = InputSource(source)
    if isinstance(text, str):
        document.setCharacterStream(io.StringIO(text))
    else:
        document.setByteStream(io.BytesIO(text))
    try:
        parser.parse(document)
    except SAXParseException as err:
        line, column = err.getLineNumber() or 1, (err.getColumnNumber() or 0) + 1
        raise TreeError(source, line, column, f"expected XML, found {err.getMessage()}") from err
    except DefusedXmlException as err:
        place = parser.getLineNumber(), parser.getColumnNumber() + 1
        raise TreeError(source, *place, "expected no document type and no entities, found one") from err
    except (LookupError, ValueError) as err:
        raise TreeError(source, 1, 1, f"expected XML in an encoding such as UTF-8: {err}") from err
    return handler.tree()


@dataclass
class _Open:
    """An association whose end was not read yet."""

    attributes: dict[str, str]
    seen: set[str] = field(default_factory=set)
    files: list[FileEntry] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    children: list[AssociationTree] = field(default_factory=list)

    def close(self) -> AssociationTree:
        attributes = self.attributes
        return AssociationTree(
            category=attributes["category"],
            certified=_TRUTH[attributes["certified"]],
            complete=_TRUTH[attributes["complete"]],
            mode=attributes.get("mode"),
            match=attributes.get("match"),
            type=attributes["type"],
            main_files=tuple(self.files),
            messages=tuple(self.messages),
            children=tuple(self.children),
        )


class _Handler(ContentHandler):
    """Builds the tree from the innermost association outwards."""

    def __init__(self, source: str, locator: Locator):
        super().__init__()
        self._source, self._place = source, locator
        self._elements: list[str] = []
        self._open: list[_Open] = []
        self._text: list[str] = []
        self._root: AssociationTree | None = None

    def tree(self) -> AssociationTree:
        """Return the tree; the parser has seen the end of its root."""
        if self._root is None:
            self._fail("expected an <association>, found nothing")
        return self._root

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 (the parser calls it so)
        """Take the start of an element."""
        parent = self._elements[-1] if self._elements else ""
        if name not in _CHILDREN[parent]:
            wanted = " or ".join(f"<{child}>" for child in _CHILDREN[parent]) or "no element"
            self._fail(
                f"expected {wanted}" + (f" in <{parent}>" if parent else "") + f", found <{name[:40]}>"
            )
        attributes = self._attributes(name, attrs)
        self._elements.append(name)
        if name == "association":
            self._start_association(attributes)
        elif name == "file":
            self._open[-1].files.append(FileEntry(attributes["category"], self._file(attributes["name"])))
        elif name == "message":
            self._text = []
        elif name in self._open[-1].seen:
            self._fail(f"expected one <{name}> in an <association>, found another")
        else:
            self._open[-1].seen.add(name)

    def endElement(self, name: str) -> None:  # noqa: N802 (the parser calls it so)
        """Take the end of an element."""
        self._elements.pop()
        if name == "message":
            self._open[-1].messages.append(" ".join("".join(self._text).split()))
        elif name == "association":
            tree = self._open.pop().close()
            if self._open:
                self._open[-1].children.append(tree)
            else:
                self._root = tree

    def characters(self, content: str) -> None:
        """Take text: only a message has any."""
        if self._elements[-1] == "message":
            self._text.append(content)
        elif not content.isspace():
            self._fail(f"expected no text in <{self._elements[-1]}>, found {content.strip()[:40]!r}")

    def _start_association(self, attributes: dict[str, str]) -> None:
        if len(self._open) == MAX_DEPTH:
            self._fail(f"expected at most {MAX_DEPTH} associations inside each other, found more")
        if self._open and "mode" in attributes:
            self._fail("expected the attribute mode in the outermost <association> alone")
        if not self._open and "match" in attributes:
            self._fail("expected no attribute match in the outermost <association>")
        for truth in ("certified", "complete"):
            if attributes[truth] not in _TRUTH:
                self._fail(f"{truth}: expected true or false, found {attributes[truth][:40]!r}")
        self._open.append(_Open(attributes))

    def _attributes(self, name: str, attrs: AttributesImpl) -> dict[str, str]:
        required, optional = _ATTRIBUTES.get(name, ((), ()))
        given = dict(attrs.items())
        for attribute in given:
            if attribute not in (*required, *optional):
                wanted = ", ".join((*required, *optional)) or "none"
                self._fail(f"<{name}> has the attributes {wanted}; found {attribute[:40]}")
        for attribute in required:
            if not given.get(attribute):
                self._fail(f"<{name}> needs the attribute {attribute}, and with a value")
        return given

    def _file(self, name: str) -> str:
        try:
            return safe_name(name)
        except QcbenchError:
            self._fail(f"expected the name of a file in the archive, found {name[:40]!r}")

    def _fail(self, problem: str) -> Never:
        line, column = self._place.getLineNumber() or 1, (self._place.getColumnNumber() or 0) + 1
        raise TreeError(self._source, line, column, problem)


def print_tree(tree: AssociationTree) -> str:
    """Return the XML of a tree, laid out as ESO's service does.

    Characters that XML can't hold become U+FFFD.
    """
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + "\n".join(_lines(tree, "")) + "\n"


def _lines(tree: AssociationTree, indent: str) -> Iterator[str]:
    inner = indent + _INDENT
    yield _start_tag(tree, indent)
    yield from _element("mainFiles", (_file_line(entry, inner + _INDENT) for entry in tree.main_files), inner)
    yield from _element("messages", (_message_line(text, inner + _INDENT) for text in tree.messages), inner)
    nested = (line for child in tree.children for line in _lines(child, inner + _INDENT))
    yield from _element("associatedFiles", nested, inner)
    yield f"{indent}</association>"


def _element(name: str, lines: Iterator[str], indent: str) -> Iterator[str]:
    first = next(lines, None)
    if first is None:
        yield f"{indent}<{name}/>"
        return
    yield f"{indent}<{name}>"
    yield first
    yield from lines
    yield f"{indent}</{name}>"


def _start_tag(tree: AssociationTree, indent: str) -> str:
    attributes = {
        "category": tree.category,
        "certified": str(tree.certified).lower(),
        "complete": str(tree.complete).lower(),
        "match": tree.match,
        "mode": tree.mode,
        "type": tree.type,
    }
    lines = [f"{indent}<association"]
    for name, value in attributes.items():
        if value is None:
            continue
        part = f"{name}={_attribute(value)}"
        if len(lines) == 1 and len(lines[0]) + 1 + len(part) > _WIDTH:
            lines.append(f"{indent}{_INDENT}{part}")
        else:
            lines[-1] += f" {part}"
    return "\n".join(lines) + ">"


def _file_line(entry: FileEntry, indent: str) -> str:
    return f"{indent}<file category={_attribute(entry.category)} name={_attribute(entry.name)}/>"


def _message_line(text: str, indent: str) -> str:
    return f"{indent}<message>{escape(_xml_text(text))}</message>"


def _attribute(value: str) -> str:
    # always in double quotes, as the service writes them
    quoted = quoteattr(_xml_text(value).replace('"', "\0"))
    return quoted.replace("\0", "&quot;")


def _xml_text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
