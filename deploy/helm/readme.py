"""Makes the table of values in the chart's README: the comments of values.yaml that begin with `# --`, and defaults."""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import yaml

BEGIN: Final = "<!-- values: made of values.yaml by `make generated` -->"
END: Final = "<!-- end of values -->"
_KEY: Final = re.compile(r"^( *)([A-Za-z]\w*):")


class Value(NamedTuple):
    """A value that a comment describes."""

    path: str
    default: str
    meaning: str


def updated(readme: str, values: str) -> str:
    """Return the README with the table of these values."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = [f"| `{one.path}` | `{one.default}` | {one.meaning} |" for one in described(values)]
    return "\n".join([f"{before}{BEGIN}", "", "| value | default | meaning |", "|---|---|---|", *rows, "", END + after])


def described(values: str) -> Iterator[Value]:
    """Yield each value that has a comment, in order."""
    defaults: dict[str, Any] = yaml.safe_load(values)
    path: list[str] = []
    comment: list[str] = []
    for line in values.splitlines():
        text = line.strip()
        if text.startswith("# -- "):
            comment = [text.removeprefix("# -- ")]
        elif text.startswith("# ") and comment:
            comment.append(text.removeprefix("# "))
        elif key := _KEY.match(line):
            path = [*path[: len(key[1]) // 2], key[2]]
            if comment:
                yield Value(".".join(path), _default(_at(defaults, path)), " ".join(comment).replace("|", "\\|"))
            comment = []
        elif not text.startswith("#"):
            comment = []


def _at(values: Any, path: list[str]) -> Any:
    for key in path:
        values = values[key]
    return values


def _default(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=1_000_000, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...").removesuffix("...").strip()
