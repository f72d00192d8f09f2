"""Runs the Python examples of the documents from the repository's root, on the tables that are there.

Every block ```python runs by itself. If a block ```text comes next, what the example prints must be what it says; with
--write the block is replaced by what was printed. Also, docs/reading-results.md must name every column of the tables.
Needs the packages of scripts/requirements.txt.
"""

import contextlib
import csv
import io
import pathlib
import re
import sys
import traceback

DOCUMENTS = ["README.md", "docs/reading-results.md", "docs/models-and-data.md", "docs/faq.md"]
EXAMPLE = re.compile(r"```python\n(?P<code>.*?)```\n(?:\n```text\n(?P<shown>.*?)```\n)?", re.DOTALL)


def printed(code, name):
    """What `code` prints."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, name, "exec"), {"__name__": "__main__"})
    return "".join(line.rstrip() + "\n" for line in output.getvalue().splitlines())


def check(path, write):
    """The number of examples in a document, and of those that fail."""
    text = path.read_text(encoding="utf-8")
    count = failures = 0

    def run(example):
        nonlocal count, failures
        count += 1
        name = f"{path}:{text.count(chr(10), 0, example.start()) + 1}"
        try:
            found = printed(example["code"], name)
        except Exception:
            failures += 1
            print(f"{name}: the example fails\n{traceback.format_exc()}", file=sys.stderr)
            return example[0]
        if example["shown"] in (None, found):
            return example[0]
        if write:
            return f"```python\n{example['code']}```\n\n```text\n{found}```\n"
        failures += 1
        print(f"{name}: the example prints\n{found}and the document says\n{example['shown']}", file=sys.stderr)
        return example[0]

    new = EXAMPLE.sub(run, text)
    if write and new != text:
        path.write_text(new, encoding="utf-8")
    return count, failures


def undocumented(tables, document):
    """The columns of these tables that the document does not name."""
    named = set(re.findall(r"`([a-z0-9_]+)`", document.read_text(encoding="utf-8")))
    for table in tables:
        with table.open(encoding="utf-8", newline="") as file:
            yield from (f"{table}: {document} does not name {c}" for c in next(csv.reader(file)) if c not in named)


def main(arguments):
    if arguments not in ([], ["--write"]):
        sys.exit("usage: check_examples.py [--write]")
    paths = [path for path in map(pathlib.Path, DOCUMENTS) if path.exists()]
    results = [check(path, bool(arguments)) for path in paths]
    count, failures = (sum(numbers) for numbers in zip((0, 0), *results))
    if count == 0:
        sys.exit("no example found: run from the repository's root")
    tables = sorted(path for path in pathlib.Path("results/paper").glob("*.csv") if ".claims." not in path.name)
    missing = list(undocumented(tables, pathlib.Path("docs/reading-results.md")))
    print("\n".join(missing), file=sys.stderr, end="\n" if missing else "")
    print(f"{count} examples, {failures} of them fail; to accept what they print: check_examples.py --write"
          if failures else f"{count} examples run as the documents say")
    return 1 if failures or missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
