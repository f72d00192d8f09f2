"""Checks the links of all Markdown files below the repository's root: files exist, anchors are headings.

Addresses on the web are not asked for. Also checks the paths that stand in backticks and begin with a directory of the
repository, where they have no capitals (NAME, PROFILE) or wildcards in them.
"""

import pathlib
import re
import subprocess
import sys
import urllib.parse

FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"(`+)(.+?)\1")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s*(\S+)|(?:src|href)=\"([^\"]+)\"", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$", re.MULTILINE)
HTML_ANCHOR = re.compile(r"<a (?:id|name)=\"([^\"]+)\"")
IN_REPOSITORY = re.compile(r"(?:crates|docs|experiments|scripts|results/bench|results/paper|figures/paper)/[a-z0-9_./-]+")


def blanked(pattern, text):
    """`text` with what matches blank, so that lines keep their numbers."""
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def slug(heading):
    """The anchor that forges give a heading."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
    kept = "".join(c for c in text.strip().lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")


def anchors(path):
    """The anchors of a Markdown file; equal headings are numbered."""
    text, seen, found = blanked(FENCE, path.read_text(encoding="utf-8")), {}, set()
    for heading in HEADING.findall(text):
        name = slug(heading)
        number = seen.get(name, 0)
        seen[name] = number + 1
        found.add(f"{name}-{number}" if number else name)
    return found | set(HTML_ANCHOR.findall(text))


def problem(path, target):
    """What is wrong with a link in `path`, if anything is."""
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        return None
    file, _, anchor = urllib.parse.unquote(target).partition("#")
    there = (path.parent / file) if file else path
    if not there.exists():
        return "no such file"
    if anchor and there.suffix == ".md" and anchor not in anchors(there):
        return "no such heading"
    return None


def problems(path):
    """Line, target and problem of every link of a document that leads nowhere."""
    text = blanked(FENCE, path.read_text(encoding="utf-8"))
    links = blanked(CODE, text)
    found = [(match.start(), next(filter(None, match.groups()))) for match in LINK.finditer(links)]
    for start, target in found:
        if wrong := problem(path, target):
            yield links.count("\n", 0, start) + 1, target, wrong
    for match in CODE.finditer(text):
        name = match[2].removesuffix("/")
        if IN_REPOSITORY.fullmatch(name) and not pathlib.Path(name).exists():
            yield text.count("\n", 0, match.start()) + 1, match[2], "no such file"


def main():
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
        check=True, capture_output=True, text=True,
    )
    paths = [path for path in map(pathlib.Path, filter(None, listed.stdout.split("\0"))) if path.exists()]
    found = [(path, *wrong) for path in paths for wrong in problems(path)]
    for path, line, target, wrong in found:
        print(f"{path}:{line}: {target}: {wrong}", file=sys.stderr)
    print(f"{len(paths)} Markdown files, {len(found)} links lead nowhere")
    return 1 if found or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
