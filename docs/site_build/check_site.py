"""Check the built site: links lead somewhere, images are described, nothing is fetched.

python docs/site_build/check_site.py build/site
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """What a page points to, and what can be pointed to in it."""

    def __init__(self, text: str):
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.images: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag == "link" and "href" in found:
            self.loaded.append(found["href"])
        if "src" in found:
            self.loaded.append(found["src"])
        if tag == "img":
            self.images.append((found.get("src", ""), found.get("alt", "")))


def faults(site: Path) -> list[str]:
    """One line for each fault of the pages in a folder."""
    pages = {
        path.resolve(): Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")
    }
    found = []
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        for address in page.links + page.loaded:
            fault = _fault(address, path, pages, loaded=address in page.loaded)
            if fault:
                found.append(f"{name}: {fault}: {address}")
        for source, text in page.images:
            if not text or text.endswith((".png", ".svg")):
                found.append(f"{name}: an image without a description: {source}")
    return found


def _fault(address: str, path: Path, pages: dict[Path, Page], *, loaded: bool) -> str | None:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return "is fetched from elsewhere" if loaded and parts.scheme != "data" else None
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return "leads nowhere"
    anchor = unquote(parts.fragment)
    if anchor and target in pages and anchor not in pages[target].anchors:
        return "has no such anchor"
    return None


def main() -> None:
    site = Path(sys.argv[1])
    lines = faults(site)
    print("\n".join(lines) or f"{site}: all links lead somewhere, all images are described")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
