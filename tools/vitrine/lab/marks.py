"""The marks in the kernel's source that say what a lab's student writes.

    // LAB cow/2 begin -- return -ENOSYS;       step 2 of the lab cow; the statement stands in for the body
    // LAB cow/2 begin -- @copy                 what stands in is several lines: [stand_in] copy in lab.toml
    // LAB cow/2 begin                          nothing stands in
    ...whole statements...
    // LAB end

A source has three forms: with its marks, as it is in the main tree; plain, without the marks; and cut, where
lab_todo("cow/2") and what stands in take the bodies' places.  Cut and put back, a source is plain, byte for byte.
"""
import re
from dataclasses import dataclass

from ..machine import HostError

BEGIN = re.compile(r"^( *)// LAB ([a-z]+)/(\d+) begin(?: -- (.+))?$")
END = re.compile(r"^ *// LAB end$")
LOOSE = re.compile(r"//\s*LAB\b")
INCLUDE = '#include "kernel/lib/lab.h"\n'
LONGEST, MOST = 40, 12  # lines in a body, bodies in a lab


@dataclass
class Piece:
    """A body between two marks; `line` is that of the first mark."""

    lab: str
    step: int
    indent: str
    stand_in: str
    line: int
    body: str = ""


def parse(path, text):
    """The source as a list of strings and Pieces; a HostError when the marks break a rule."""
    parts, piece, plain = [], None, ""
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        where, bare = f"{path}:{number}", line.rstrip("\n")
        begin = BEGIN.match(bare)
        if begin and piece:
            raise HostError(f"{where}: marks do not nest: the one of line {piece.line} has no \"// LAB end\" yet")
        if begin:
            parts.append(plain)
            piece, plain = Piece(begin[2], int(begin[3]), begin[1], begin[4] or "", number), ""
        elif END.match(bare):
            if piece is None:
                raise HostError(f"{where}: \"// LAB end\" without a beginning")
            parts.append(piece)
            piece = None
        elif LOOSE.search(bare):
            raise HostError(f"{where}: not a mark: write \"// LAB NAME/STEP begin -- STATEMENT\" or \"// LAB end\", "
                            "alone on the line")
        elif piece is None:
            plain += line
        else:
            if bare.lstrip().startswith("#"):
                raise HostError(f"{where}: no line of the preprocessor may stand between marks")
            piece.body += line
            if piece.body.count("\n") > LONGEST:
                raise HostError(f"{where}: more than {LONGEST} lines between marks; make two steps of it")
    if piece is not None:
        raise HostError(f"{path}:{piece.line}: this mark has no \"// LAB end\"")
    return parts + [plain]


def pieces(parts, lab, step=None):
    return [p for p in parts if isinstance(p, Piece) and p.lab == lab and step in (None, p.step)]


def plain(parts):
    """The source without its marks."""
    return "".join(part.body if isinstance(part, Piece) else part for part in parts)


def hole(piece, stand_ins):
    """What stands in a cut source in the place of a body."""
    text = piece.stand_in
    if text.startswith("@"):
        if text[1:] not in stand_ins:
            raise HostError(f"line {piece.line}: labs/{piece.lab}/lab.toml has no [stand_in] {text[1:]}")
        text = stand_ins[text[1:]].strip("\n")
    lines = [f'lab_todo("{piece.lab}/{piece.step}");', *text.splitlines()]
    return "".join(f"{piece.indent}{line}\n" if line else "\n" for line in lines)


def cut(parts, lab, stand_ins):
    """The source without the bodies of one lab, and without the marks of all others."""
    text = "".join(hole(part, stand_ins) if isinstance(part, Piece) and part.lab == lab else
                   part.body if isinstance(part, Piece) else part for part in parts)
    in_program = '#include "labs/' in text  # of whose headers one has a lab_todo(), too
    return with_include(text) if pieces(parts, lab) and not in_program else text


def with_include(text):
    """The source with the #include of lab.h, where clang-format would have it."""
    at = end = 0
    for match in re.finditer(r'(?m)^#include ".*"\n', text):
        if match.start() != end:
            at = 0  # another block of them: the last one counts
        end = match.end()
        if match[0] < INCLUDE or not at:
            at = match.end() if match[0] < INCLUDE else match.start()
    return text[:at] + INCLUDE + text[at:]


def put_back(text, parts, lab, step, stand_ins):
    """A student's source with one step's bodies in the places of its holes; None when a hole is not as it was."""
    at = 0
    for piece in pieces(parts, lab, step):
        found = re.compile("^" + re.escape(hole(piece, stand_ins)), re.M).search(text, at)
        if found is None:
            return None
        text = text[:found.start()] + piece.body + text[found.end():]
        at = found.start() + len(piece.body)
    return text if "lab_todo(" in text else text.replace(INCLUDE, "", 1)


def unwritten(text, lab):
    """The steps of a lab that a source still calls lab_todo() for; comments do not count."""
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)
    return {int(step) for step in re.findall(rf'lab_todo\("{lab}/(\d+)"\)', code)}
