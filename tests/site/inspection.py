"""What is wrong with a site that mdbook made, as a reader's browser sees it: a line for each fault, with the page it is on."""

import pathlib
from urllib.parse import unquote, urldefrag

from browser import serve
from playwright.sync_api import TimeoutError

FRAME = "toc.html"
"""What mdbook shows as the sidebar where scripts are off: part of a page."""
GENERATED = {"print.html", "404.html"}
"""What mdbook adds to the pages: all of them in one, and what is shown instead of one that is not there."""

READ = """async () => {
    const text = element => element ? element.textContent.trim() : "";
    const sidebar = document.querySelector("#mdbook-sidebar");
    const entry = link => text(link).replace(/^[0-9.]+ +/, "");
    const chapters = [...document.querySelectorAll("#mdbook-sidebar ol.chapter > li > .chapter-link-wrapper > a")];
    const pictures = [...document.images].map(async picture => {
        await picture.decode().catch(() => {});
        return [picture.getAttribute("src"), picture.naturalWidth];
    });
    return {
        title: document.title,
        heading: text(document.querySelector("main h1")),
        sidebar: sidebar !== null && sidebar.getBoundingClientRect().right > 0,
        chapters: chapters.map(link => link.href.split("#")[0]),
        here: chapters.filter(link => link.classList.contains("active")).map(entry),
        links: [...document.querySelectorAll("a[href]")].map(link => link.href),
        pictures: await Promise.all(pictures),
    };
}"""

FOLLOW = """parts => parts.filter(part => {
    location.hash = part;
    return document.getElementById(decodeURIComponent(part)) === null;
})"""
"""Goes from part to part of a page. Those that the page does not have."""


class Inspection:
    """One walk through a site."""

    def __init__(self, address, tab):
        self.address = address
        self.tab = tab
        self.page = ""
        """The page that is open, or from which a link is followed."""
        self.faults = []
        self.links = {}
        """Where each link leads, and the page that has it first."""
        self.chapters = set()
        self.titles = {}
        """What pages are called in the sidebar."""
        tab.on("console", self.console)
        tab.on("pageerror", lambda error: self.fault(f"a script fails: {error}"))
        tab.on("response", self.response)
        tab.route("**/*", self.request)

    def fault(self, what, page=None):
        fault = f"{page or self.page}: {what}"
        if fault not in self.faults:
            self.faults.append(fault)

    def console(self, message):
        # What can't be loaded is told by its response.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.fault(f"the console says: {message.text}")

    def response(self, response):
        """A page that is not there is the fault of the one that links to it, anything else that of the page which needs it."""
        if response.status >= 400:
            page = self.page if response.request.is_navigation_request() else self.path(urldefrag(response.frame.url).url)
            self.fault(f"{self.path(response.url)} is not there", page)

    def path(self, url):
        return unquote(url.removeprefix(f"{self.address}/"))

    def request(self, route):
        """Lets no request leave the site."""
        if route.request.url.startswith((f"{self.address}/", "data:")):
            route.continue_()
        else:
            self.fault(f"asks for {route.request.url}")
            route.abort()

    def open(self, page):
        """Opens a page, and reads what it shows."""
        self.page = page
        self.tab.goto(f"{self.address}/{page}")
        seen = self.tab.evaluate(READ)
        for picture, width in seen["pictures"]:
            if not width:
                self.fault(f"the picture {picture} is not shown")
        for link in seen["links"]:
            if link.startswith(f"{self.address}/"):
                self.links.setdefault(link, page)
        if not seen["sidebar"] or not seen["chapters"]:
            self.fault("has no sidebar")
        elif self.chapters and set(seen["chapters"]) != self.chapters:
            self.fault("has another sidebar")
        self.chapters = self.chapters or set(seen["chapters"])
        if page not in GENERATED:
            self.named(page, seen)

    def named(self, page, seen):
        """Whether a page has a heading, and is called the same in the sidebar and in the browser's title."""
        if not seen["heading"]:
            self.fault("has no heading")
        if len(seen["here"]) != 1:
            return self.fault(f"has no place in the sidebar, or several: {seen['here']}")
        self.titles[page] = seen["here"][0]
        if seen["title"] != f"{seen['here'][0]} - Gnomon":
            self.fault(f"has the title {seen['title']!r} and is called {seen['here'][0]!r} in the sidebar")

    def follow(self):
        """Goes wherever a link leads."""
        targets = {}
        for link, origin in self.links.items():
            page, part = urldefrag(link)
            targets.setdefault(page, {}).setdefault(part, origin)
        for page, origins in targets.items():
            self.page = next(iter(origins.values()))
            self.tab.goto(page)
            for part in self.tab.evaluate(FOLLOW, [part for part in origins if part]):
                self.page = origins[part]
                self.fault(f"links to {self.path(page)}#{unquote(part)}, and there is no such part")

    def search(self):
        """Types what each page is called, as a reader would, and requires that the page is among what is found."""
        self.page = "index.html"
        self.tab.goto(f"{self.address}/{self.page}")
        self.tab.keyboard.press("s")
        field = self.tab.locator("#mdbook-searchbar")
        for page, title in self.titles.items():
            found = self.tab.locator(f'#mdbook-searchresults a[href^="{page}"]')
            try:
                field.fill(title[:-1], timeout=5000)
                field.press_sequentially(title[-1])
                found.first.wait_for(timeout=5000)
            except TimeoutError:
                return self.fault(f"the search for {title!r} does not find {page}")


def pages(folder):
    """All pages of a site, by their paths."""
    return sorted(path.relative_to(folder).as_posix() for path in pathlib.Path(folder).rglob("*.html") if path.name != FRAME)


def inspect(folder, browser):
    """Opens all pages, follows all links between them, and searches for each page."""
    with serve(folder) as address:
        tab = browser.new_page()
        inspection = Inspection(address, tab)
        for page in pages(folder):
            inspection.open(page)
        inspection.follow()
        inspection.search()
        tab.close()
    return inspection
