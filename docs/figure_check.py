"""The gallery's figures, looked at while they are saved: axes that are empty or unlabelled end the build."""

from sphinx_gallery.scrapers import matplotlib_scraper


def faults(figure):
    """Return what is wrong with the axes of a drawn figure, a sentence each."""
    found = [] if figure.axes else ["the figure has no axes"]
    for number, axes in enumerate(figure.axes):
        if not (axes.lines or axes.collections or axes.images or axes.patches or axes.texts):
            found.append(f"axes {number} are empty")
        if axes.get_label() == "<colorbar>":
            if not (axes.get_xlabel() or axes.get_ylabel()):
                found.append(f"the colour bar {number} has no label")
        elif axes.axison:
            for name in "xy":
                ticks = getattr(axes, f"{name}axis").get_major_ticks()
                shown = any(tick.label1.get_visible() and tick.label1.get_text() for tick in ticks)
                together = getattr(axes, f"get_shared_{name}_axes")().get_siblings(axes)
                if shown and not any(getattr(other, f"get_{name}label")() for other in together):
                    found.append(f"the {name} axis of axes {number} has numbers and no label")
    return found


def checked(block, block_vars, gallery_conf, **options):
    """Save the figures of a block as Matplotlib's scraper does, once they are found to be in order."""
    import matplotlib.pyplot as plt

    for number in plt.get_fignums():
        figure = plt.figure(number)
        figure.canvas.draw()
        if wrong := faults(figure):
            raise ValueError(f"figure {number} of {block_vars['src_file']}: {'; '.join(wrong)}")
    return matplotlib_scraper(block, block_vars, gallery_conf, **options)
