"""The figures as one SVG: bars of changes a second, and how near the other goals are.

Written by hand, since a picture of rectangles needs no library. Its colours follow the reader's
light or dark page.
"""

import os
from xml.sax.saxutils import escape

from goals import goal_lines, rates

WIDTH = 860
LABEL_X, BAR_X, BAR_WIDTH = 16, 120, 560
ROW, GROUP_GAP, HEAD = 18, 14, 22

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; } .head { font-weight: 600; }
.small { fill: #59636e; font-size: 11px; }
.page { fill: #ffffff; } .track { fill: #eff2f5; } .goal { stroke: #1f2328; stroke-width: 2; }
.reference { fill: #8c959f; } .ours { fill: #0969da; } .met { fill: #1a7f37; }
.missed { fill: #bc4c00; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .small { fill: #9198a1; }
  .page { fill: #0d1117; } .track { fill: #212830; } .goal { stroke: #e6edf3; }
  .reference { fill: #656c76; } .ours { fill: #4493f8; } .met { fill: #3fb950; }
  .missed { fill: #db6d28; }
}
"""


class Drawing:
    """Elements from the top down; `y` is where the next one goes."""

    def __init__(self):
        self.parts = []
        self.y = 0

    def text(self, x, text, style="", anchor="start", below=0):
        self.parts.append(f'<text x="{x:.1f}" y="{self.y + below:.1f}" class="{style}"'
                          f' text-anchor="{anchor}">{escape(text)}</text>')

    def bar(self, width, style):
        self.parts.append(f'<rect x="{BAR_X}" y="{self.y + 2}" width="{max(1.0, width):.1f}"'
                          f' height="{ROW - 5}" rx="2" class="{style}"/>')

    def mark(self, x):
        self.parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{self.y}" y2="{self.y + ROW - 1}"'
                          ' class="goal"/>')

    def svg(self):
        body = "\n".join(self.parts)
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.y}"'
                f' width="{WIDTH}" height="{self.y}" role="img"'
                ' aria-label="Benchmark results of pgchronicle">\n'
                f"<style>{STYLE}</style>\n"
                f'<rect class="page" width="{WIDTH}" height="{self.y}" rx="6"/>\n{body}\n</svg>\n')


def needed_rate(result, found):
    """The rate that meets all of the workload's ratios to references; None without such goals."""
    goals = result["workload"].goals
    needed = [goals[name] * rate for name, (rate, _) in found.items() if name in goals]
    return max(needed, default=None)


def _rate_group(drawing, result):
    found = rates(result)
    if not found or len(result["workload"].contenders) < 2:
        return
    needed = needed_rate(result, found)
    top = max([rate for rate, _ in found.values()] + [needed or 0])
    drawing.y += GROUP_GAP
    drawing.text(LABEL_X, result["workload"].name, "head", below=ROW - 5)
    drawing.text(BAR_X, result["workload"].title, "small", below=ROW - 5)
    drawing.y += HEAD - 2
    for name, (rate, estimated) in found.items():
        drawing.text(LABEL_X, name, below=ROW - 6)
        drawing.bar(BAR_WIDTH, "track")
        drawing.bar(BAR_WIDTH * rate / top, "ours" if name == "pgchronicle" else "reference")
        if name == "pgchronicle" and needed:
            drawing.mark(BAR_X + BAR_WIDTH * needed / top)
        drawing.text(BAR_X + BAR_WIDTH + 8, f"{'~' if estimated else ''}{rate:,.0f} a second",
                     below=ROW - 6)
        drawing.y += ROW


def _goal_group(drawing, results):
    """Goals that no bar above shows: full width is twice the goal."""
    lines = [line for line in goal_lines(results)
             if line.share is not None and not line.what.startswith("rate against")]
    if not lines:
        return
    drawing.y += GROUP_GAP
    drawing.text(LABEL_X, "Other goals", "head", below=ROW - 5)
    drawing.text(BAR_X, "a bar that reaches the line meets its goal", "small", below=ROW - 5)
    drawing.y += HEAD - 2
    for line in lines:
        drawing.text(LABEL_X, line.workload, below=ROW - 6)
        drawing.bar(BAR_WIDTH, "track")
        drawing.bar(BAR_WIDTH * min(2.0, line.share) / 2, "met" if line.met else "missed")
        drawing.mark(BAR_X + BAR_WIDTH / 2)
        drawing.text(BAR_X + BAR_WIDTH + 8, f"{line.measured} (goal {line.goal})", below=ROW - 6)
        drawing.y += ROW
        drawing.text(BAR_X, line.what, "small", below=9)
        drawing.y += ROW - 4


def draw(results, machine):
    drawing = Drawing()
    drawing.text(LABEL_X, "pgchronicle: changes a second", "title", below=26)
    drawing.text(LABEL_X, f"{machine['date']}; {machine['cpu']}, {machine['cores']} cores; "
                          f"PostgreSQL {(machine['postgresql'] or '').split(' ')[0]}. "
                          "Line: the rate that meets the goals. Each workload has its own scale.",
                 "small", below=44)
    drawing.y = 50
    for result in results:
        _rate_group(drawing, result)
    _goal_group(drawing, results)
    drawing.y += GROUP_GAP
    return drawing.svg()


def write(folder, results, machine):
    path = os.path.join(folder, "results.svg")
    with open(path, "w") as out:
        out.write(draw(results, machine))
    return path
