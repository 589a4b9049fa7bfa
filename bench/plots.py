# SPDX-License-Identifier: Apache-2.0
"""The page that compare writes: one file, its plots inline."""
import html
import json


MARKS = "*: the load had no processor time left. !: a round failed and is not in the median."


def plot(values, first, digits):
    """Bars as SVG, longest at full width."""
    longest = max(value for value, _ in values.values()) or 1
    lines = []
    for i, (server, (value, mark)) in enumerate(values.items()):
        y = 22 * i
        lines.append('<text x="0" y="%d">%s</text><rect x="80" y="%d" width="%.1f" height="16" class="%s"/>'
                     '<text x="%.1f" y="%d">%.*f%s</text>' % (y + 13, html.escape(server), y, max(1, 440 * value / longest),
                                                             "first" if server == first else "other",
                                                             86 + max(1, 440 * value / longest), y + 13, digits, value, mark))
    return '<svg width="640" height="%d">%s</svg>' % (22 * len(values), "".join(lines))


def write_page(path, machine, first, rows):
    """`first`: the server that others are held against; `rows`: (title, figure, digits, whether more is better,
    {server: (value, mark)}), those of one title together."""
    style = ("body{font:14px sans-serif;max-width:60em;margin:2em auto}svg text{font:12px sans-serif}.first{fill:#2a7}"
             ".other{fill:#99a}h3{font-weight:normal;margin:.8em 0 .2em}")
    parts = ["<!DOCTYPE html><html lang=en><meta charset=utf-8><title>nacre: comparison</title><style>%s</style>" % style,
             "<h1>SSH servers compared</h1><p>%s</p><p>%s</p>" % (html.escape(json.dumps(machine)), html.escape(MARKS))]
    last = None
    for title, name, digits, more_is_better, values in rows:
        if title != last:
            parts.append("<h2>%s</h2>" % html.escape(title))
        last = title
        if values:
            parts.append("<h3>%s (%s is better)</h3>%s" % (html.escape(name), "more" if more_is_better else "less",
                                                           plot(values, first, digits)))
    with open(path, "w") as f:
        f.write("\n".join(parts) + "</html>\n")
