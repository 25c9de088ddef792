"""A file as a real browser shows it without a network: what tests of pages share."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Page


class Opened:
    """A page in the browser, with what it said and what it asked for while it was open."""

    def __init__(self, browser: Browser, path: Path, width: int = 1280, height: int = 900) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": height}, offline=True, has_touch=width < 500)
        self.page: Page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("body[data-ready]", state="attached")

    def points(self, trace: str) -> int:
        """How many points of a trace of the Pareto plot are drawn; `trace` is how its name begins."""
        found: int = self.page.evaluate("name => document.getElementById('pareto').data.find(t => t.name.startsWith(name)).x.length", trace)
        return found

    def click_point(self, trace: str, index: int) -> None:
        """Move the pointer to a point of the Pareto plot and press."""
        x, y = self.place_of(trace, index)
        self.page.mouse.move(x, y)
        self.page.wait_for_selector("#pareto .hoverlayer .hovertext")
        self.page.mouse.click(x, y)

    def place_of(self, trace: str, index: int) -> tuple[float, float]:
        """Where on the screen a point of the Pareto plot is."""
        self.page.evaluate("document.getElementById('pareto').scrollIntoView()")
        x, y = self.page.evaluate(
            """([name, i]) => {
                const plot = document.getElementById("pareto"), trace = plot.data.find((t) => t.name.startsWith(name));
                const { xaxis, yaxis, _size } = plot._fullLayout, box = plot.getBoundingClientRect();
                return [box.left + _size.l + xaxis.d2p(trace.x[i]), box.top + _size.t + yaxis.d2p(trace.y[i])];
            }""",
            [trace, index],
        )
        return x, y

    def text(self, selector: str) -> str:
        """The text of the first element that the selector finds."""
        return self.page.inner_text(selector)
