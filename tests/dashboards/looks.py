"""Holds the rules for what every dashboard and every panel looks like."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import product

from promql_parser import MatchOp, VectorSelector

from dashboards.colours import BAD, GOOD, MODES, NOTE, OUTCOMES, PROBLEMS, REASONS, WARN
from exporter.assets import LINKS
from tests.dashboards import parts
from tests.dashboards.parts import Asked, Board, Plain, columns, dropped, strings
from tests.dashboards.queries import followed, matchers, named, nodes

WIDTH = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
BUILT_IN = {"stat", "table", "timeseries", "state-timeline", "status-history", "row"}
OF_NOW = {"stat", "table"}
OF_TIME = {"timeseries", "state-timeline", "status-history"}
TENANT_BOARD = "kimono-tenant"
# From what is well to what wakes somebody.
LOUDER = [GOOD, NOTE, WARN, BAD]
OF_STATES = {"state-timeline", "status-history"}
MOST_LINES = 20
DATA_LINK = {"title", "url", "targetBlank"}
OLDEST_SCHEMA = 39  # that of Grafana 10.4
ON_TIME_RANGE = 2  # Grafana's number for when a variable asks again
# A page of its own for each, with time and choices kept.
DROPDOWN = {"type": "dashboards", "tags": ["kimono"], "asDropdown": True, "keepTime": True, "includeVars": True}
JOB = {"label": "Job", "multi": True, "includeAll": True, "allValue": ".+"}
# Columns of every answer that no table shows.
ALWAYS_GONE = {"Time", "__name__"}
# Values of labels that each need a colour of their own: by itself Grafana would paint "failed" green.
STATES = {
    "alertname": [one.alert for one in PROBLEMS],
    "flag": [*MODES],
    "state": [*OUTCOMES],
    "reason": [*REASONS],
    "outcome": ["success", *REASONS],
}


def its_name_is_its_uid_and_it_is_of_the_family(board: Board) -> Iterator[str]:
    plain = board.plain
    if plain["uid"] != board.stem:
        yield f"uid {plain['uid']}"
    if plain["title"].casefold() != board.stem.replace("-", " / "):
        yield f"title {plain['title']}"
    if plain["tags"] != ["kimono"]:
        yield f"tags {plain['tags']}"
    if plain.get("id") is not None:
        yield "an id: that is for Grafana to give"


def it_is_fresh_and_not_for_editing(board: Board) -> Iterator[str]:
    plain = board.plain
    if plain["refresh"] != "1m":
        yield f"refresh {plain['refresh']}"
    if plain["timezone"] not in {"browser", "utc"}:
        yield f"timezone {plain['timezone']}"
    if plain["editable"] is not False:
        yield "editable"


def it_leads_to_the_others(board: Board) -> Iterator[str]:
    if not any(DROPDOWN.items() <= one.items() for one in board.plain["links"]):
        yield f"links {board.plain['links']}"


def it_lets_choose_the_source_and_the_jobs(board: Board) -> Iterator[str]:
    if [one["name"] for one in board.variables[:2]] != ["datasource", "job"]:
        yield "the first variables are not datasource and job"
        return
    source, job = board.variables[:2]
    if (source["type"], source["query"], source["label"]) != ("datasource", "prometheus", "Data source"):
        yield "datasource"
    yield from (f"job: {name}" for name, value in JOB.items() if job.get(name) != value)


def variables_ask_again_when_time_changes(board: Board) -> Iterator[str]:
    for one in board.variables:
        if one["type"] == "query" and one["refresh"] != ON_TIME_RANGE:
            yield one["name"]
        if not one.get("label"):
            yield f"{one['name']} has no label"


def old_grafanas_take_it(board: Board) -> Iterator[str]:
    """`placement` of a control is new in Grafana 12, and older ones refuse it; that of a legend is old."""
    plain = board.plain
    if plain["schemaVersion"] != OLDEST_SCHEMA:
        yield f"schemaVersion {plain['schemaVersion']}"
    controls = [plain, *plain["links"], *plain["annotations"]["list"], *board.variables]
    yield from (f"placement of {one.get('name') or one['title']}" for one in controls if "placement" in one)
    yield from (panel["title"] for panel in board.all_panels if panel["type"] not in BUILT_IN)
    for panel in board.panels:
        for one in panel["fieldConfig"]["defaults"].get("links", ()):
            yield from (f"{panel['title']}: {name} of a link" for name in one.keys() - DATA_LINK)
    if not any(one.get("builtIn") == 1 for one in plain["annotations"]["list"]):
        yield "Grafana's own annotations are missing"


def everything_comes_from_the_chosen_source(board: Board) -> Iterator[str]:
    asking = [(panel["title"], [panel, *panel.get("targets", ())]) for panel in board.panels]
    asking += [(one["name"], [one]) for one in board.annotations]
    asking += [(one["name"], [one]) for one in board.variables if one["type"] == "query"]
    for name, each in asking:
        if any(one.get("datasource") != SOURCE for one in each):
            yield name


def each_panel_says_what_it_is(board: Board) -> Iterator[str]:
    """A title, what to do about it in a sentence, a unit, and what an empty one means."""
    for panel in board.panels:
        defaults = panel["fieldConfig"]["defaults"]
        if not panel.get("title"):
            yield f"{panel['id']}: no title"
        if not re.fullmatch(r"[A-Z0-9].+[.?]", panel.get("description", "")):
            yield f"{panel['title']}: the description is no sentence"
        if not defaults.get("unit"):
            yield f"{panel['title']}: no unit"
        if not defaults.get("noValue"):
            yield f"{panel['title']}: no words for nothing"


def ids_are_unique(board: Board) -> Iterator[str]:
    ids = Counter(panel["id"] for panel in board.all_panels)
    yield from (f"panel {number}" for number, times in ids.items() if times > 1)
    for panel in board.panels:
        refs = Counter(target["refId"] for target in panel["targets"])
        yield from (f"{panel['title']}, {ref}" for ref, times in refs.items() if times > 1)


def the_grid_is_full(board: Board) -> Iterator[str]:
    """No overlap and no gap."""
    places = Counter(place for panel in board.all_panels for place in _places(panel["gridPos"]))
    yield from (f"{place} is taken twice" for place, times in places.items() if times > 1)
    height = 1 + max(y for _, y in places)
    yield from (f"{place} is empty" for place in product(range(WIDTH), range(height)) if place not in places)
    yield from (f"{place} is outside" for place in places if place[0] >= WIDTH)


def _places(grid: Plain) -> Iterator[tuple[int, int]]:
    return product(range(grid["x"], grid["x"] + grid["w"]), range(grid["y"], grid["y"] + grid["h"]))


def numbers_and_tables_are_of_now(board: Board) -> Iterator[str]:
    for panel in board.panels:
        for target in panel["targets"]:
            instant = panel["type"] in OF_NOW
            if bool(target.get("instant")) != instant or bool(target.get("range")) == instant:
                yield f"{panel['title']}, {target['refId']}"


def timelines_can_be_read(board: Board) -> Iterator[str]:
    for panel in board.panels:
        if panel["type"] in OF_STATES and panel["options"]["showValue"] != "never":
            yield f"{panel['title']}: values in the cells"
        if panel["type"] == "state-timeline" and not 0 < panel["options"].get("perPage", 0) <= MOST_LINES:
            yield f"{panel['title']}: more than {MOST_LINES} lines"


def states_have_fixed_colours(board: Board) -> Iterator[str]:
    for panel in board.panels:
        colourless = [one for one in _mapped(panel) if not one.get("color")]
        yield from (f"{panel['title']}: {one.get('text')} has no colour" for one in colourless)
        if panel["type"] in OF_STATES:
            if panel["fieldConfig"]["defaults"].get("color", {}).get("mode") != "fixed":
                yield f"{panel['title']}: colours by threshold"
            if not _mapped(panel):
                yield f"{panel['title']}: no colours"
        if panel["type"] == "timeseries":
            names = {name for one in board.of(panel) for name in _states(one)}
            yield from (f"{panel['title']}: {name} has no colour" for name in names if not _fixed(panel, name))


def _mapped(panel: Plain) -> list[Plain]:
    """What values are shown as."""
    found = list(panel["fieldConfig"]["defaults"].get("mappings", ()))
    for one in panel["fieldConfig"]["overrides"]:
        found += [each for value in one["properties"] if value["id"] == "mappings" for each in value["value"]]
    return [
        result
        for one in found
        for result in ([one["options"]["result"]] if "result" in one["options"] else one["options"].values())
    ]


def _states(one: Asked) -> Iterator[str]:
    """The names that lines of states may have; what else is in their names does not matter."""
    labels = sorted(named(one.called) & STATES.keys())
    for values in product(*(_possible(one, label) for label in labels)) if labels else ():
        name = one.called
        for label, value in zip(labels, values, strict=True):
            name = name.replace(f"{{{{{label}}}}}", value)
        yield re.sub(r"{{.*?}}", "any", name)


def _possible(one: Asked, label: str) -> list[str]:
    """The values of a label that a query lets through."""
    asked = [dict(_wanted(selector)) for selector in nodes(one, VectorSelector)]
    wanted = [each[label] for each in asked if label in each] or [".*"]
    return [value for value in STATES[label] if any(re.fullmatch(each, value) for each in wanted)]


def _wanted(selector: VectorSelector) -> Iterator[tuple[str, str]]:
    for name, how, value in matchers(selector):
        if how in (MatchOp.Re, MatchOp.Equal):
            yield name, value if how == MatchOp.Re else re.escape(value)


def _fixed(panel: Plain, name: str) -> bool:
    for one in panel["fieldConfig"]["overrides"]:
        how, what = one["matcher"]["id"], one["matcher"]["options"]
        matches = name == what if how == "byName" else how == "byRegexp" and re.search(what.strip("/"), name)
        if matches and any(each["id"] == "color" and each["value"]["mode"] == "fixed" for each in one["properties"]):
            return True
    return False


def tables_show_what_is_asked_for(board: Board) -> Iterator[str]:
    """Each label and value is a column or left out, each column is there, and what is said of one is said of it."""
    for panel in board.panels:
        if panel["type"] != "table":
            continue
        fields, shown, gone = _fields(board, panel), columns(panel), dropped(panel)
        titles = set(shown.values())
        spoken_of = {one["displayName"] for one in panel["options"]["sortBy"]}
        spoken_of |= {one["matcher"]["options"] for one in panel["fieldConfig"]["overrides"]}
        unnamed = fields - shown.keys() - gone
        yield from (f"{panel['title']}: {name} has no title" for name in unnamed)
        yield from (f"{panel['title']}: nothing gives {name}" for name in (shown.keys() | gone) - fields - ALWAYS_GONE)
        yield from (f"{panel['title']}: there is no column {name}" for name in spoken_of - titles)


def _fields(board: Board, panel: Plain) -> set[str]:
    """What the queries of a panel give: labels and values."""
    asked = list(board.of(panel))
    labels = {label for one in asked for label in followed(one)[1].labels}
    values = {f"Value #{target['refId']}" for target in panel["targets"]} if len(asked) > 1 else {"Value"}
    copies = {one["options"]["alias"] for one in panel.get("transformations", ()) if one["id"] == "calculateField"}
    return labels | values | copies


def links_lead_somewhere(board: Board) -> Iterator[str]:
    """To a dashboard of these with variables that it has, or to the page of an alert."""
    for panel in board.panels:
        for url in (one for one in strings(panel) if re.match(r"/(d|alerting)/|https?:", one)):
            yield from (f"{panel['title']}: {what} in {url}" for what in _wrong(url, board))
            for name in set(re.findall(r"__data\.fields\.(\w+)", url)) - _fields(board, panel):
                yield f"{panel['title']}: {name} in {url}"


def _wrong(url: str, board: Board) -> Iterator[str]:
    if not url.startswith("/d/"):
        if url != LINKS.alert_page("${__data.fields.alertname}"):
            yield "no page of the alert"
        return
    uid, _, given = url.removeprefix("/d/").partition("?")
    if uid not in parts.BOARDS:
        yield uid
        return
    yield from set(re.findall(r"var-(\w+)=", given)) - parts.BOARDS[uid].names
    yield from set(re.findall(r"\${(\w+):queryparam}", given)) - board.names
    if "${__url_time_range}" not in given:
        yield "the time is lost"


def tenants_lead_to_their_dashboard(board: Board) -> Iterator[str]:
    """But for the one of the tenant itself, which leads to its account's."""
    goal = "/d/kimono-fleet?var-account=" if board.stem == TENANT_BOARD else f"/d/{TENANT_BOARD}?var-tenant="
    named_in = "account_name" if board.stem == TENANT_BOARD else "tenant_name"
    for panel in board.panels:
        if panel["type"] == "table" and (title := columns(panel).get(named_in)):
            urls = [url for one in _overrides(panel, title) if one["id"] == "links" for url in strings(one)]
            if not any(url.startswith(goal) for url in urls):
                yield f"{panel['title']}: {title} leads nowhere"


def _overrides(panel: Plain, name: str) -> list[Plain]:
    return [
        each
        for one in panel["fieldConfig"]["overrides"]
        if one["matcher"]["options"] == name
        for each in one["properties"]
    ]


def lines_have_a_legend(board: Board) -> Iterator[str]:
    for panel in board.panels:
        if panel["type"] in OF_TIME and panel["options"].get("legend", {}).get("showLegend") is not True:
            yield panel["title"]


def more_is_worse(board: Board) -> Iterator[str]:
    """Green is below and red above, or, of what must be there at all, nothing is bad and one is good."""
    for panel in board.panels:
        if panel["type"] in OF_NOW:
            steps = [one["color"] for one in panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", ())]
            loud = [LOUDER.index(colour) for colour in steps if colour in LOUDER]
            if loud != sorted(loud) and not (len(steps) == 2 and steps[1] == GOOD):
                yield f"{panel['title']}: {', '.join(steps)}"


LOOKS: tuple[Callable[[Board], Iterator[str]], ...] = (
    its_name_is_its_uid_and_it_is_of_the_family,
    it_is_fresh_and_not_for_editing,
    it_leads_to_the_others,
    it_lets_choose_the_source_and_the_jobs,
    variables_ask_again_when_time_changes,
    old_grafanas_take_it,
    everything_comes_from_the_chosen_source,
    each_panel_says_what_it_is,
    ids_are_unique,
    the_grid_is_full,
    numbers_and_tables_are_of_now,
    timelines_can_be_read,
    states_have_fixed_colours,
    tables_show_what_is_asked_for,
    links_lead_somewhere,
    tenants_lead_to_their_dashboard,
    lines_have_a_legend,
    more_is_worse,
)
