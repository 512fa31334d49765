"""Write examples/pagemap_sys.rs: csrc/include/pagemap.h for Rust, as bindgen would.

`python -m tests.steps.rust_sys` writes it anew; a test compares. The header is plain enough that
this needs no compiler: structs of numbers and pointers, enums, constants and functions.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADER = ROOT / "csrc" / "include" / "pagemap.h"
WRITTEN = ROOT / "examples" / "pagemap_sys.rs"
HEAD = """\
//! csrc/include/pagemap.h for Rust, by the rules of bindgen (--no-prepend-enum-name). Written by
//! `python -m tests.steps.rust_sys`; tests compare sizes, offsets and values with the compiler's.

use std::os::raw::{c_char, c_int, c_uint, c_void};

"""
WIDTHS = {f"{u}int{bits}_t": f"{u or 'i'}{bits}" for u in ("u", "") for bits in (8, 16, 32, 64)}
TYPES = {
    **WIDTHS,
    "size_t": "usize",
    "char": "c_char",
    "int": "c_int",
    "unsigned": "c_uint",
    "void": "c_void",
}


def text() -> str:
    """The header without comments, preprocessor lines of no constant, and what is for C++ alone."""
    found = re.sub(r"/\*.*?\*/", "", HEADER.read_text("ascii"), flags=re.DOTALL)
    found = re.sub(r"^#ifdef __cplusplus\n.*?^#endif\n", "", found, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^#(?!define PM_\w+[ \t]+\S).*\n", "", found, flags=re.MULTILINE)


def structs() -> dict[str, list[tuple[str, str]]]:
    """Of each struct its members: name and type in C, `[8]` behind it for an array."""
    found = {}
    for name, body in re.findall(r"^struct (\w+) \{(.*?)^\};", text(), re.MULTILINE | re.DOTALL):
        members: list[tuple[str, str]] = []
        for line in filter(None, map(str.strip, body.split(";"))):
            first, *more = (each.strip() for each in line.split(","))
            match = re.fullmatch(r"(.*?)(\w+)(\[\w+\])?", first, re.DOTALL)
            assert match, line
            kind = match[1].strip() + (match[3] or "")
            members += [(each, kind) for each in (match[2], *more)]
        found[name] = members
    return found


def constants() -> list[tuple[str, str, int]]:
    """Name, the enum it is of, and value; macros are of "u32" or "u64"."""
    found = []
    enums = re.findall(r"^enum (\w* ?)\{(.*?)^\};", text(), re.MULTILINE | re.DOTALL)
    for enum, body in enums:
        value = -1
        for line in filter(None, map(str.strip, body.split(","))):
            name, _, said = (each.strip() for each in line.partition("="))
            value = number(said) if said else value + 1
            found.append((name, enum.strip() or "c_uint", value))
    for name, said in re.findall(r"^#define (PM_\w+)[ \t]+(.+)$", text(), re.MULTILINE):
        found.append((name, "u64" if "64" in said else "u32", number(said)))
    return found


def number(said: str) -> int:
    """The value of a constant expression, whose operators are those of Python, too."""
    said = " ".join(said.split())
    plain = re.sub(r"UINT64_C\((\w+)\)", r"\1", said.replace("UINT64_MAX", "0xffffffffffffffff"))
    assert re.fullmatch(r"[\w\s()<|+*-]+", plain), said
    return int(eval(plain, {"__builtins__": {}}))


def functions() -> list[tuple[str, list[tuple[str, str]], str]]:
    """Name, parameters and result, in C."""
    found = []
    pattern = r"^((?:const )?(?:struct )?\w+ \**)(pm_\w+)\(([^;]*)\);"
    for result, name, inside in re.findall(pattern, text(), re.MULTILINE):
        parameters = []
        for each in re.split(r",\s*", inside):
            if each == "void":
                continue
            match = re.fullmatch(r"(.*?)(\w+)", " ".join(each.split()))
            assert match, each
            parameters.append((match[2], match[1].strip()))
        found.append((name, parameters, result.strip()))
    return found


def rust(kind: str) -> str:
    """A type of C in Rust."""
    if array := re.fullmatch(r"(.*)\[(\w+)\]", kind):
        return f"[{rust(array[1].strip())}; {array[2]}usize]"
    if kind.endswith("*"):
        inner = kind[:-1].strip()
        constant = inner.endswith("const") or (inner.startswith("const ") and "*" not in inner)
        inner = re.sub(r"^const | const$", "", inner) if constant else inner
        return f"*{'const' if constant else 'mut'} {rust(inner.strip())}"
    kind = kind.removeprefix("struct ").removeprefix("enum ")
    return TYPES.get(kind, kind)


def module() -> str:
    """The file."""
    parts = []
    enums = set()
    for name, enum, value in constants():
        if enum.startswith("pm_") and enum not in enums:
            enums.add(enum)
            parts.append(f"pub type {enum} = c_uint;\n")
        parts.append(f"pub const {name}: {enum} = {value};\n")
    known = structs()
    for name in dict.fromkeys(re.findall(r"struct (\w+)", text())):
        members = known.get(name, [("_unused", "")])
        parts.append("\n#[repr(C)]\n#[derive(Debug, Copy, Clone)]\n")
        parts.append(f"pub struct {name} {{\n")
        for member, kind in members:
            parts.append(
                f"    pub {member}: {rust(kind)},\n" if kind else f"    {member}: [u8; 0],\n"
            )
        parts.append("}\n")
    parts.append('\n#[link(name = "pagemap")]\nextern "C" {\n')
    for name, parameters, result in functions():
        inside = ", ".join(f"{each}: {rust(kind)}" for each, kind in parameters)
        returned = "" if result == "void" else f" -> {rust(result)}"
        line = f"    pub fn {name}({inside}){returned};\n"
        if len(line) > 100:
            inside = "".join(f"        {each}: {rust(kind)},\n" for each, kind in parameters)
            line = f"    pub fn {name}(\n{inside}    ){returned};\n"
        parts.append(line)
    parts.append("}\n")
    body = "".join(parts)
    known_here = ("c_char", "c_int", "c_uint", "c_void")
    used = [each for each in known_here if re.search(rf"\b{each}\b", body)]
    return HEAD.replace("c_char, c_int, c_uint, c_void", ", ".join(used)) + body


def layout_in_c() -> str:
    """A program that prints what the compiler makes of it."""
    lines = []
    for name, members in structs().items():
        lines.append(f'say("{name}", sizeof(struct {name}), _Alignof(struct {name}));')
        for each, _ in members:
            size = f"sizeof(((struct {name} *)0)->{each})"
            lines.append(f'say("{name}.{each}", offsetof(struct {name}, {each}), {size});')
    lines += [f'say("{name}", 0, (unsigned long long){name});' for name, _, _ in constants()]
    return (
        '#include <stdio.h>\n#include "include/pagemap.h"\n'
        "static void say(const char *name, unsigned long long one, unsigned long long two)\n"
        '{\n\tprintf("%s %llu %llu\\n", name, one, two);\n}\n'
        "int main(void)\n{\n\t" + "\n\t".join(lines) + "\n\treturn 0;\n}\n"
    )


def layout_in_rust() -> str:
    """The same, of examples/pagemap_sys.rs; offset_of is of Rust 1.77."""
    lines = []
    for name, members in structs().items():
        lines.append(f'say("{name}", size_of::<{name}>(), align_of::<{name}>() as u64);')
        lines.append(f"let made = MaybeUninit::<{name}>::uninit();")
        lines.append("let base = made.as_ptr();")
        for each, _ in members:
            lines.append(f"let member = unsafe {{ addr_of!((*base).{each}) }};")
            lines.append(
                f'say("{name}.{each}", member as usize - base as usize, size(member) as u64);'
            )
    lines += [f'say("{name}", 0, {name} as u64);' for name, _, _ in constants()]
    return (
        "#![allow(dead_code, non_camel_case_types)]\n"
        "use std::{mem::{align_of, size_of, MaybeUninit}, ptr::addr_of};\n"
        f'#[path = "{WRITTEN}"]\nmod pagemap_sys;\nuse pagemap_sys::*;\n'
        "fn size<T>(_: *const T) -> usize {\n    size_of::<T>()\n}\n"
        "fn say(name: &str, one: usize, two: u64) {\n"
        '    println!("{} {} {}", name, one, two);\n}\n'
        "fn main() {\n    " + "\n    ".join(lines) + "\n}\n"
    )


if __name__ == "__main__":
    WRITTEN.write_text(module())
