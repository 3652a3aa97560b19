"""Tables and clocks as the page on benchmarks shows them."""


def seconds(value: float) -> str:
    """Return a time in a fixed width, as hours, minutes, seconds or milliseconds."""
    if value >= 7200:
        return f"{value / 3600:8.1f} h"
    if value >= 120:
        return f"{value / 60:6.1f} min"
    return f"{value:8.2f} s" if value >= 1 else f"{1e3 * value:7.1f} ms"


def table(header, rows):
    """Print a Markdown table."""
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def clock(value):
    """Return a time without padding."""
    return seconds(value).strip()


def times(ratio):
    """Return a ratio to two digits."""
    return f"{ratio:.2g}" if ratio < 100 else f"{round(ratio, -2):,.0f}" if ratio >= 1000 else f"{ratio:.0f}"
