"""The parts of a study's page that need no script: its facts, notes, importances and the winners' table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from archspace.report.study_page_data import Importances, StudyPage
from archspace.units import format_share

SORTING = "A click on a column's name sorts; a click on a rank shows that network above and in the comparison below."


def facts_html(page: StudyPage) -> str:
    """The facts as a list of terms."""
    rows = [f"<div><dt>{escape(term)}</dt><dd>{escape(text)}</dd></div>" for term, text in page.facts.items()]
    return f"<dl>{''.join(rows)}</dl>"


def notes_html(notes: Sequence[str]) -> str:
    """What to know before the numbers are believed; nothing where there is nothing to know."""
    if not notes:
        return ""
    return f"<ul class='notes' aria-label='Notes'>{''.join(f'<li>{escape(note)}</li>' for note in notes)}</ul>"


def importance_html(importances: Importances) -> str:
    """Bars per objective, the most important parameter first, or why there are none."""
    panels = []
    for objective, shares in importances.shares.items():
        rows = [
            f"<tr><th scope='row'>{escape(name)}</th><td class='bar'><span style='width:{100 * share:.1f}%'></span></td>"
            f"<td class='number'>{format_share(share)}</td></tr>"
            for name, share in shares.items()
        ]
        panels.append(
            f"<div class='panel'><h3>{escape(objective)}</h3><table class='bars'><caption class='hidden'>Importance of each parameter for "
            f"{escape(objective)}, in percent</caption><tbody>{''.join(rows)}</tbody></table></div>"
        )
    drawn = f"<div class='columns'>{''.join(panels)}</div>" if panels else ""
    return f"{drawn}<p class='note'>{escape(importances.note)}</p>"


def winners_html(page: StudyPage) -> str:
    """The winners, best first; `data-sort` holds what a click on a column's name sorts by."""
    if not page.winners:
        return "<p>No candidate meets the budget.</p>"
    varying = [i for i, name in enumerate(page.option_names) if name not in page.constants]
    groups = [
        "<th colspan='2'></th>",
        f"<th class='group' colspan='{len(page.metrics)}'>metrics</th>",
        *([f"<th class='group' colspan='{len(varying)}'>options</th>"] if varying else []),
    ]
    heads = [
        "<th data-kind='number'><button type='button'>rank</button></th>",
        "<th data-kind='number'><button type='button'>trial</button></th>",
        *(f"<th data-kind='number'><button type='button'>{escape(metric.name)}</button></th>" for metric in page.metrics),
        *(f"<th><button type='button'>{escape(page.option_names[i])}</button></th>" for i in varying),
    ]
    body = []
    for rank, row in enumerate(page.winners, start=1):
        number = page.numbers[row]
        cells = [
            f"<td class='number' data-sort='{rank}'><button type='button' class='show'>{rank}</button></td>",
            f"<td class='number' data-sort='{number}'>{number}</td>",
            *(f"<td class='number' data-sort='{metric.values[row]}'>{escape(metric.texts[row])}</td>" for metric in page.metrics),
            *(f"<td data-sort='{escape(page.options[row][i])}'>{escape(page.options[row][i])}</td>" for i in varying),
        ]
        body.append(f"<tr data-row='{row}'>{''.join(cells)}</tr>")
    caption = "<caption class='hidden'>The winners: the Pareto front of the candidates within the budget</caption>"
    head = f"<thead><tr>{''.join(groups)}</tr><tr>{''.join(heads)}</tr></thead>"
    table = f"<table id='winners' class='list'>{caption}{head}<tbody>{''.join(body)}</tbody></table>"
    return f"<div class='scroll'>{table}</div><p class='note'>{SORTING}</p>"
