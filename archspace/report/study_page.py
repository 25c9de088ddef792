"""The report of a study as one HTML file that needs no network: everything that it draws with is in it."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from plotly.offline import get_plotlyjs

from archspace.files import write_text
from archspace.report.study_page_data import StudyPage
from archspace.report.study_page_html import facts_html, importance_html, notes_html, winners_html
from archspace.report.study_page_json import page_json

ASSETS = files("archspace.report") / "study_page_assets"
STYLES = ("page.css",)
SCRIPTS = ("data.js", "panel.js", "pareto.js", "parallel.js", "history.js", "compare.js", "start.js")  # in the order that they build on


def write_study_page(page: StudyPage, path: Path) -> None:
    """Write the page, over an older one. Raises FileError."""
    write_text(path, study_html(page), force=True)


def study_html(page: StudyPage) -> str:
    """The page as text: about 5 MB of plotting library, and the study."""
    return Template(_asset("page.html")).substitute(
        title=escape(page.title),
        question=escape(page.question),
        facts=facts_html(page),
        notes=notes_html(page.notes),
        importance=importance_html(page.importances),
        reference_note=escape(page.reference_note),
        curve_note=escape(page.curve_note),
        winners=winners_html(page),
        style="\n".join(map(_asset, STYLES)),
        plotly=get_plotlyjs(),
        data=page_json(page),
        script="\n".join(map(_asset, SCRIPTS)),
    )


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
