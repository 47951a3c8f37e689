"""Gathers what the site of the documents is made of: the README, the pages of docs/SUMMARY.md, and what these link to.

    python3 site/gather.py FOLDER

FOLDER gets copies in the same places as in the project, so that links between pages stay as they are. A page that is linked but not in the
summary is put behind the others. Any other file that is linked becomes a copy that a browser shows; links in the copies lead to it.
Fails on a link to what is not there, and on a page in docs that the summary lacks.
"""

import os
import pathlib
import re
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
README, SUMMARY = "README.md", "docs/SUMMARY.md"
SHOWN = {".json", ".svg", ".png", ".jpg"}
"""What a browser shows by itself. Files of other kinds it would rather save: they are named .txt."""

FENCE = re.compile(r" *(```|~~~)")
CODE = re.compile(r"(`+[^`]+`+)")
HEADING = re.compile(r"^# +(.+)$", re.MULTILINE)
LINK = re.compile(r'(\]\(|^\[[^\]]+\]: +|\b(?:href|src|srcset)=")([^)\s"]+)')
ELSEWHERE = re.compile(r"[a-z][a-z+.-]*:|//|#")
"""How links begin that do not name a file of the project."""


class Broken(Exception):
    """What is wrong with the documents, for a person."""


def with_links(text, change):
    """A page in which each link is what `change` makes of it. Code has no links."""
    lines, fenced = text.split("\n"), False
    for number, line in enumerate(lines):
        if FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            parts = CODE.split(line)
            parts[::2] = [LINK.sub(lambda found: found[1] + change(found[2]), part) for part in parts[::2]]
            lines[number] = "".join(parts)
    return "\n".join(lines)


def named(path):
    """What a page, or a link to it, is called in the site: mdbook knows the page of a folder as index.md."""
    return re.sub(r"(^|/)README\.md(?=#|$)", r"\1index.md", path)


def title(text):
    """The heading of a page, as plain text."""
    return HEADING.search(text)[1].replace("`", "")


class Site:
    """What has been gathered, and what has still to be."""

    def __init__(self, root, folder):
        self.root = root
        """The project's folder."""
        self.folder = folder
        """The site's."""
        self.pages = []
        """In the order of the first links to them."""
        self.texts = {}
        """What becomes of pages, by their paths in the project."""
        self.broken = []

    def add(self, page):
        if page not in self.pages:
            self.pages.append(page)

    def gather(self):
        """Copies everything."""
        summary = (self.root / SUMMARY).read_text()
        chapters = with_links(summary, lambda target: self.path(SUMMARY, target) or target)
        listed = [found[2] for found in LINK.finditer(chapters)]
        for page in [README, *listed]:
            self.add(page)
        for page in self.pages:  # grows meanwhile
            if (self.root / page).is_file():
                text = (self.root / page).read_text()
                if not HEADING.search(text):
                    self.broken.append(f"{page} has no heading")
                self.texts[page] = with_links(text, lambda target: self.follow(page, target))
        lacking = {path.relative_to(self.root).as_posix() for path in (self.root / "docs").glob("*.md")} - {SUMMARY, *listed}
        self.broken += [f"{page} has no line in {SUMMARY}" for page in sorted(lacking)]
        if self.broken:
            raise Broken("\n".join(self.broken))
        for page, text in self.texts.items():
            self.write(named(page), text)
        self.write("SUMMARY.md", with_links(self.summary(chapters, listed), named))

    def path(self, page, target):
        """The file or folder that a link on a page names, as a path in the project; `None` if it is not there."""
        path = os.path.normpath(os.path.join(os.path.dirname(page), target.split("#")[0]))
        if path.startswith("..") or not (self.root / path).exists():
            self.broken.append(f"{page} links to {target}, which is not there")
            return None
        return path

    def follow(self, page, target):
        """Gathers what a link on a page leads to, and returns the link for the site."""
        if ELSEWHERE.match(target):
            return target
        path = self.path(page, target)
        if path is None:
            return target
        if (self.root / path).is_dir():
            if not (self.root / path / README).is_file():
                self.broken.append(f"{page} links to {target}, a folder without {README}")
                return target
            path, target = f"{path}/{README}", f"{target.rstrip('/')}/{README}"
        if path.endswith(".md"):
            self.add(path)
            return named(target)
        shown = "" if pathlib.Path(path).suffix in SHOWN else ".txt"
        self.place(path + shown).write_bytes((self.root / path).read_bytes())
        return target.split("#")[0] + shown

    def summary(self, chapters, listed):
        """The summary of all pages: the README begins, what is linked ends it."""
        if README not in listed:
            head, rest = chapters.split("\n", 1)
            chapters = f"{head}\n\n[{title(self.texts[README])}]({README})\n{rest}"
        others = [page for page in self.pages if page not in [README, *listed]]
        lines = [f"- [{title(self.texts[page])}]({page})" for page in others]
        return "\n".join([chapters.rstrip(), "", "# Elsewhere in the project", "", *lines, ""]) if lines else chapters

    def write(self, path, text):
        self.place(path).write_text(text)

    def place(self, path):
        """Where a copy belongs, in a folder that is there."""
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        return place


def main():
    folder = pathlib.Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    try:
        Site(ROOT, folder).gather()
    except Broken as broken:
        sys.exit(f"{broken}")


if __name__ == "__main__":
    main()
