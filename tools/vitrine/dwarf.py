"""What the kernel's structures look like: its DWARF, read once for each kernel and remembered as JSON.

A type is a list: ["int", size, signed], ["bool"], ["char"], ["void"], ["ptr", type], ["array", n, type],
["struct", name] (unions too) or ["enum", name, size].  Types with one name and two meanings, which files may have
for themselves, are told apart by FILE:NAME, and so are static variables; what is unique goes by its bare name.
"""
import hashlib
import json
import os
import tempfile

from .machine import HostError

FORMAT = 2  # of the remembered form: a new one is another file
KEPT = 8
PASS_THROUGH = ("DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type")
RECORDS = ("DW_TAG_structure_type", "DW_TAG_union_type")


class Reader:
    """Collects structs, enums and variables of an ELF file, one compilation unit after the other."""

    def __init__(self):
        self.structs, self.enums, self.variables = {}, {}, {}
        self._seen, self._names, self._file, self._later = {}, {}, "", []

    def read(self, dwarf):
        for unit in dwarf.iter_CUs():
            top = unit.get_top_DIE()
            self._file, self._seen = text(top, "DW_AT_name") or "?", {}
            for die in top.iter_children():
                if die.tag in RECORDS + ("DW_TAG_enumeration_type",) and text(die, "DW_AT_name"):
                    self.type_of(die)
                elif die.tag == "DW_TAG_variable":
                    self._variable(die)
            while self._later:
                self.type_of(self._later.pop())

    def _variable(self, die):
        """A variable with an address; its name may stand with an earlier declaration."""
        place = die.attributes.get("DW_AT_location")
        if place is None or not isinstance(place.value, list) or len(place.value) != 9 or place.value[0] != 3:
            return
        if "DW_AT_specification" in die.attributes:
            die = die.get_DIE_from_attribute("DW_AT_specification")
        name = text(die, "DW_AT_name")
        entry = [int.from_bytes(bytes(place.value[1:]), "little"), self._below(die)]
        self.variables[f"{self._file}:{name}"] = entry
        self.variables[name] = entry if name not in self.variables else None  # None: ask by file

    def _below(self, die):
        return self.type_of(die.get_DIE_from_attribute("DW_AT_type")) if "DW_AT_type" in die.attributes else ["void"]

    def type_of(self, die):
        """The type that a DIE describes."""
        if die.offset not in self._seen:
            self._seen[die.offset] = self._make(die)
        return self._seen[die.offset]

    def _make(self, die):
        tag = die.tag
        if tag in PASS_THROUGH:
            return self._below(die)
        if tag == "DW_TAG_pointer_type":
            return ["ptr", self._pointed(die)]
        if tag == "DW_TAG_base_type":
            return base_type(die)
        if tag == "DW_TAG_array_type":
            return self._array(die)
        if tag == "DW_TAG_enumeration_type":
            name = self._own_name(die)
            self.enums.setdefault(name, {text(c, "DW_AT_name"): number(c, "DW_AT_const_value")
                                         for c in die.iter_children()})
            return ["enum", name, number(die, "DW_AT_byte_size")]
        if tag in RECORDS:
            return self._record(die)
        return ["void"]

    def _pointed(self, die):
        """What a pointer points to: a struct by its name, to be read later, so that circles end."""
        if "DW_AT_type" not in die.attributes:
            return ["void"]
        target = die.get_DIE_from_attribute("DW_AT_type")
        while target.tag in PASS_THROUGH and "DW_AT_type" in target.attributes:
            target = target.get_DIE_from_attribute("DW_AT_type")
        if target.tag in RECORDS:
            self._later.append(target)
            return ["struct", self._own_name(target)]
        return self.type_of(target)

    def _own_name(self, die):
        """A name for a struct or enum: its own, or with the file's when another one has that already."""
        name = text(die, "DW_AT_name") or f"{self._file}:{die.offset:#x}"
        sign = (number(die, "DW_AT_byte_size"), number(die, "DW_AT_decl_line"))
        same = "DW_AT_declaration" in die.attributes or self._names.setdefault(name, sign) == sign
        return name if same else f"{self._file}:{name}"

    def _record(self, die):
        name = self._own_name(die)
        if "DW_AT_declaration" in die.attributes:
            return ["struct", name]
        if name not in self.structs:
            self.structs[name] = {"size": number(die, "DW_AT_byte_size"), "fields": {}}
            self._fields(die, 0, self.structs[name]["fields"])
        return ["struct", name]

    def _fields(self, die, base, fields):
        """[offset, type] of each member, [offset, type, first bit, bits] of a bit field; unnamed ones open up."""
        for member in die.iter_children():
            if member.tag != "DW_TAG_member":
                continue
            offset, bits = base + number(member, "DW_AT_data_member_location"), number(member, "DW_AT_bit_size")
            name = text(member, "DW_AT_name")
            if not name:
                self._fields(member.get_DIE_from_attribute("DW_AT_type"), offset, fields)
            elif bits:
                first = number(member, "DW_AT_data_bit_offset")
                fields[name] = [base + first // 8, self._below(member), first % 8, bits]
            else:
                fields[name] = [offset, self._below(member)]

    def _array(self, die):
        kind = self._below(die)
        for part in reversed(list(die.iter_children())):
            if "DW_AT_upper_bound" in part.attributes or "DW_AT_count" in part.attributes:
                count = number(part, "DW_AT_count") or number(part, "DW_AT_upper_bound") + 1
                kind = ["array", count, kind]
            else:
                kind = ["array", 0, kind]
        return kind


def text(die, name):
    value = die.attributes.get(name)
    return value.value.decode() if value is not None else ""


def number(die, name):
    value = die.attributes.get(name)
    return value.value if value is not None and isinstance(value.value, int) else 0


def base_type(die):
    encoding, size = number(die, "DW_AT_encoding"), number(die, "DW_AT_byte_size")
    if encoding == 2:
        return ["bool"]
    if size == 1 and encoding in (6, 8) and text(die, "DW_AT_name") == "char":
        return ["char"]
    return ["int", size, encoding in (5, 6)]


def parse(elf):
    """{structs, enums, variables, symbols} of an ELF file."""
    try:
        from elftools.elf.elffile import ELFFile  # pylint: disable=import-outside-toplevel
    except ImportError as error:
        raise HostError("python3-pyelftools is not installed (make setup)") from error
    with open(elf, "rb") as file:
        image, reader = ELFFile(file), Reader()
        if not image.has_dwarf_info() or image.get_section_by_name(".symtab") is None:
            raise HostError(f"{os.path.relpath(elf)} was built without debugging information")
        reader.read(image.get_dwarf_info())
        symbols = {s.name: s["st_value"] for s in image.get_section_by_name(".symtab").iter_symbols() if s.name}
    return {"structs": reader.structs, "enums": reader.enums, "symbols": symbols,
            "variables": {name: entry for name, entry in reader.variables.items() if entry}}


def load(elf, cache):
    """The same, from the folder `cache` when this very kernel was read before (by the hash of its bytes)."""
    with open(elf, "rb") as file:
        name = f"types-{FORMAT}-{hashlib.sha256(file.read()).hexdigest()[:16]}.json"
    try:
        with open(os.path.join(cache, name), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        found = parse(elf)
    try:
        os.makedirs(cache, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=cache, delete=False, encoding="utf-8") as file:
            json.dump(found, file)
        os.replace(file.name, os.path.join(cache, name))
        old = sorted((e for e in os.scandir(cache) if e.name.startswith("types-")), key=lambda e: e.stat().st_mtime)
        for entry in old[:-KEPT]:
            os.unlink(entry.path)
    except OSError:
        pass  # it works as well without, only slower
    return found
