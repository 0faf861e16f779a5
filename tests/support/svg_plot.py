# SPDX-License-Identifier: Apache-2.0
"""Small line plots as self-contained SVG: panels of one field each, side by side.

A line is (colour, dashes, [(x, y)]); the x are labels at equal distances, since what is plotted grows by
factors. Reports of the simulator and of the benchmarks draw with it."""

WIDTH, HEIGHT = 330, 190


def panel(x, y, title, labels, lines):
    """One plot with its upper left corner there; a line's x are among the labels."""
    values = [value for _, _, points in lines for _, value in points]
    top = max(values + [1e-9]) * 1.1
    at = {label: x + 40 + (WIDTH - 60) * i / max(1, len(labels) - 1) for i, label in enumerate(labels)}
    out = [f'<text x="{x + 40}" y="{y + 14}" font-weight="bold">{title}</text>',
           f'<path d="M{x + 40} {y + 24}V{y + HEIGHT - 20}H{x + WIDTH - 10}" stroke="#444" '
           'fill="none"/>']
    for part in (0, 0.5, 1):
        level = y + HEIGHT - 20 - (HEIGHT - 48) * part / 1.1
        out.append(f'<text x="{x + 34}" y="{level + 4:.1f}" text-anchor="end">'
                   f'{top / 1.1 * part:.3g}</text>')
    for label in labels:
        out.append(f'<text x="{at[label]:.1f}" y="{y + HEIGHT - 4}" text-anchor="middle">{label}</text>')
    for colour, dashes, points in lines:
        places = [(at[label], y + HEIGHT - 20 - (HEIGHT - 48) * value / top) for label, value in points]
        if not places:
            continue
        out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.6" '
                   f'stroke-dasharray="{dashes}" points="'
                   + " ".join(f"{px:.1f},{py:.1f}" for px, py in places) + '"/>')
        out += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="2.4" fill="{colour}"/>' for px, py in places]
    return out


def picture(panels, legend, closing, columns=3):
    """All of it: panels as (title, labels, lines), a legend as [(colour, name)], and words behind it."""
    rows = -(-len(panels) // columns)
    width, height = 5 + 335 * columns, 40 + 205 * rows
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
           'font-family="sans-serif" font-size="11">',
           f'<rect width="{width}" height="{height}" fill="white"/>']
    for i, (title, labels, lines) in enumerate(panels):
        out += panel(5 + 335 * (i % columns), 5 + 205 * (i // columns), title, labels, lines)
    for i, (colour, name) in enumerate(legend):
        out.append(f'<rect x="{45 + 100 * i}" y="{height - 25}" width="10" height="10" fill="{colour}"/>'
                   f'<text x="{60 + 100 * i}" y="{height - 16}">{name}</text>')
    out.append(f'<text x="{60 + 100 * len(legend)}" y="{height - 16}">{closing}</text></svg>')
    return "\n".join(out) + "\n"
