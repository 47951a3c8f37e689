"""Small words for what `dashboard.py` says, on top of Grafana's own typed builders."""

from grafana_foundation_sdk.builders import bargauge, common, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus as queries
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
CLUSTER = 'cluster=~"$cluster"'
"""Without a label `cluster` the variable is `.*`, which matches its absence, too."""
ROUTE = f'{CLUSTER},experiment=~"$experiment",route=~"$route"'
OF_ROUTE = "cluster, experiment, route"
HEIGHT = 8
NAMED_COLORS = {"good": "green", "bad": "red", "warning": "orange", "open": "blue", "plain": "text"}


def words(**mapped):
    """Values as words with colours: `_1=("pass", "good")`, or a text by its name."""
    options = {
        value.removeprefix("_"): models.ValueMappingResult(text=text, color=NAMED_COLORS[color], index=index)
        for index, (value, (text, color)) in enumerate(mapped.items())
    }
    return [models.ValueMap(options=options)]


def steps(first, *others):
    """Colours from values on: `steps("good", (0.8, "bad"))`."""
    found = [models.Threshold(value=None, color=NAMED_COLORS[first])]
    found += [models.Threshold(value=value, color=NAMED_COLORS[color]) for value, color in others]
    return builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(found)


def _with_queries(panel, asked, make):
    """Adds the queries A, B, …"""
    for letter, one in zip("ABCDEFGHIJ", asked):
        panel.with_target(make(one).ref_id(letter).datasource(SOURCE))
    return panel


def _panel(panel, title, description, unit, width):
    return panel.title(title).description(description).unit(unit).datasource(SOURCE).span(width).height(HEIGHT)


def lines(title, description, unit, asked, width=8, stacked=False):
    """Lines over time; `asked`: [(query, legend)]. A line whose legend ends with `(limit)` or `(configured)` is dashed."""
    make = lambda one: queries.Dataquery().expr(one[0]).range().legend_format(one[1])  # noqa: E731
    panel = _with_queries(_panel(timeseries.Panel(), title, description, unit, width), asked, make)
    panel.show_points(kinds.VisibilityMode.NEVER).fill_opacity(40 if stacked else 0).min(0)
    panel.tooltip(common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI).sort(kinds.SortOrder.DESCENDING))
    panel.legend(common.VizLegendOptions().display_mode(kinds.LegendDisplayMode.LIST).placement(kinds.LegendPlacement.BOTTOM).show_legend(True))
    if stacked:
        panel.stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL).group("A"))
    dashed = models.DynamicConfigValue(id_val="custom.lineStyle", value={"fill": "dash", "dash": [6, 6]})
    return panel.override_by_regexp(r"/\((limit|configured)\)$/", [dashed])


def bars(title, description, unit, query, legend, width=8):
    """A bar for each series as it is now."""
    make = lambda one: queries.Dataquery().expr(one[0]).instant().legend_format(one[1])  # noqa: E731
    panel = _with_queries(_panel(bargauge.Panel(), title, description, unit, width), [(query, legend)], make)
    panel.orientation(kinds.VizOrientation.HORIZONTAL).display_mode(kinds.BarGaugeDisplayMode.BASIC).min(0)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)).thresholds(steps("open"))
    return panel


def states(title, description, asked, width):
    """The states over time, as words; `asked`: [(query, legend, words)]."""
    make = lambda one: queries.Dataquery().expr(one[0]).range().legend_format(one[1])  # noqa: E731
    panel = _with_queries(_panel(statetimeline.Panel(), title, description, "none", width), asked, make)
    for letter, (_, _, said) in zip("ABC", asked):
        panel.override_by_query(letter, [models.DynamicConfigValue(id_val="mappings", value=said)])
    return panel.show_value(kinds.VisibilityMode.AUTO).merge_values(True).thresholds(steps("plain"))


def stats(title, description, query, legend, said, no_value, width):
    """Big words on coloured ground."""
    make = lambda one: queries.Dataquery().expr(one[0]).instant().legend_format(one[1])  # noqa: E731
    panel = _with_queries(_panel(stat.Panel(), title, description, "none", width), [(query, legend)], make)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)).mappings(said).no_value(no_value)
    panel.color_mode(kinds.BigValueColorMode.BACKGROUND).graph_mode(kinds.BigValueGraphMode.NONE)
    return panel.text_mode(kinds.BigValueTextMode.VALUE_AND_NAME).thresholds(steps("plain"))


def _transformation(name, **options):
    return models.DataTransformerConfig(id_val=name, options=options)


def cells(title, description, labels, columns, width, hidden=(), sorted_by=None):
    """A table. `labels`: {label: heading}; `columns`: [(heading, unit, query, {option of the column: its value})]. Each query sums up by the
    labels, so that the answers have the same ones and make one row."""
    make = lambda one: queries.Dataquery().expr(one[2]).instant().format(PromQueryFormat.TABLE)  # noqa: E731
    panel = _with_queries(_panel(table.Panel(), title, description, "none", width), columns, make)
    values = {"Value" if len(columns) == 1 else f"Value #{letter}": column[0] for letter, column in zip("ABCDEFGHIJ", columns)}
    named = labels | values
    panel.with_transformation(_transformation("merge"))
    panel.with_transformation(
        _transformation(
            "organize",
            excludeByName={name: True for name in ["Time", *hidden]},
            indexByName={name: index for index, name in enumerate(["Time", *named])},
            renameByName=named,
        )
    )
    for heading, unit, _, options in columns:
        properties = {"unit": unit} | options
        panel.override_by_name(heading, [models.DynamicConfigValue(id_val=name, value=value) for name, value in properties.items()])
    if sorted_by:
        panel.sort_by([common.TableSortByFieldState().display_name(sorted_by).desc(True)])
    return panel.filterable(True)


def matrix(title, description, query, row, column, width):
    """A table of one series for each pair of a row and a column."""
    panel = _panel(table.Panel(), title, description, "short", width)
    panel.with_target(queries.Dataquery().expr(query).instant().format(PromQueryFormat.TABLE).ref_id("A").datasource(SOURCE))
    return panel.with_transformation(
        _transformation("groupingToMatrix", rowField=row, columnField=column, valueField="Value", emptyValue="null")
    )


COLORED = {"type": "color-background", "mode": "basic"}


def colored(said):
    """Options of a column that shows states as words on coloured ground."""
    return {"mappings": said, "custom.cellOptions": COLORED}


def gauged(first, *others):
    """Options of a column that shows a share as a bar."""
    return {
        "custom.cellOptions": {"type": "gauge", "mode": "basic"},
        "min": 0,
        "max": 1,
        "thresholds": steps(first, *others).build(),
    }


def variable(name, label, query, description):
    """A variable with the values of a label; at first all of them."""
    found = builders.QueryVariable(name).label(label).description(description).query(query).datasource(SOURCE)
    found.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(models.VariableSort.ALPHABETICAL_ASC)
    found.multi(True).include_all(True).all_value(".*")
    return found.current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
