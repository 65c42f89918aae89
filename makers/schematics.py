"""Draw the schematics of lecture 7 into lectures/figures/: python -m makers.schematics

One language for all lectures: blue is data, green what is learned, orange-red a code, pink noise,
yellow a loss; squares are pictures, wedges networks, discs codes, dashed rings draws, pills losses.
The colours are those of helpers.COLOURS; book/assets/late.lua gives them the theme's. Groups of
class "fragment" appear one by one in the deck. A drawing is 560 wide and its text 18 high, so that
it can be read on a phone (11 px) and on a slide (30 px).
"""

import base64
import html
import inspect
import io

from PIL import Image

import helpers
from book import definitions
from makers import vae as decoders
from makers.common import LECTURES, replace_text

FOLDER = LECTURES / "figures"
COLOURS = {"data": "#0072b2", "code": "#d55e00", "weights": "#009e73", "noise": "#cc79a7",
           "loss": "#e69f00", "plain": "#808080"}  # fmt: skip
WIDTH, TEXT = 560, 18


def svg(height, *parts):
    """Return a drawing of WIDTH by `height` from its parts."""
    heads = "".join(
        f'<marker id="head-{kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5" '
        f'markerHeight="5" orient="auto"><path d="M0 0L8 4L0 8z" fill="{colour}"/></marker>'
        for kind, colour in COLOURS.items()
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="Source Sans 3, sans-serif" font-size="{TEXT}" fill="#000000">'
        f"<defs>{heads}</defs>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def step(*parts):
    """Return parts as a group that appears by itself in the deck."""
    return '<g class="fragment">' + "".join(parts) + "</g>"


def text(x, y, *lines, anchor="middle", weight="normal"):
    """Return lines of text around the point (x, y)."""
    made = []
    for i, line in enumerate(lines):
        at = y + (i - (len(lines) - 1) / 2) * 1.25 * TEXT + 0.34 * TEXT
        made.append(
            f'<text x="{x}" y="{at:.1f}" text-anchor="{anchor}" font-weight="{weight}">'
            f"{html.escape(line)}</text>"
        )
    return "".join(made)


def _paint(kind):
    colour = COLOURS[kind]
    return f'fill="{colour}" fill-opacity="0.16" stroke="{colour}" stroke-width="2"'


def box(x, y, w, h, kind, *lines):
    """Return a square-cornered box (data) with its centre at (x, y)."""
    return (
        f'<rect x="{x - w / 2}" y="{y - h / 2}" width="{w}" height="{h}" {_paint(kind)}/>'
        + text(x, y, *lines)
    )


def pill(x, y, w, kind, *lines):
    """Return a pill (a loss) with its centre at (x, y)."""
    h = 1.25 * TEXT * len(lines) + 10
    return (
        f'<rect x="{x - w / 2}" y="{y - h / 2}" width="{w}" height="{h}" rx="{h / 2}" '
        f"{_paint(kind)}/>" + text(x, y, *lines)
    )


def wedge(x, y, w, left, right, *lines):
    """Return a network with its centre at (x, y), `left` and `right` high at its two ends."""
    points = ((x - w / 2, y - left / 2), (x + w / 2, y - right / 2),
              (x + w / 2, y + right / 2), (x - w / 2, y + left / 2))  # fmt: skip
    corners = " ".join(f"{a},{b}" for a, b in points)
    return f'<polygon points="{corners}" {_paint("weights")}/>' + text(x, y, *lines)


def disc(x, y, r, kind, *lines, dashed=False):
    """Return a disc: a code, or with `dashed` a draw."""
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return f'<circle cx="{x}" cy="{y}" r="{r}" {_paint(kind)}{dash}/>' + text(x, y, *lines)


def arrow(*points, kind="plain", dashed=False):
    """Return an arrow through points (x, y)."""
    line = "M" + "L".join(f"{x} {y}" for x, y in points)
    dash = ' stroke-dasharray="6 4"' if dashed else ""
    return (
        f'<path d="{line}" fill="none" stroke="{COLOURS[kind]}" stroke-width="2.5"{dash} '
        f'marker-end="url(#head-{kind})"/>'
    )


def picture(x, y, side, pixels):
    """Return a grey uint8 picture (h, w) with its centre at (x, y)."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    data = base64.b64encode(file.getvalue()).decode()
    return (
        f'<image x="{x - side / 2}" y="{y - side / 2}" width="{side}" height="{side}" '
        f'href="data:image/png;base64,{data}"/>'
        f'<rect x="{x - side / 2}" y="{y - side / 2}" width="{side}" height="{side}" '
        f'fill="none" stroke="{COLOURS["data"]}" stroke-width="2"/>'
    )


def vae(digit, encoder_widths, decoder_widths, latent_dim, *, label=None):
    """Draw encoder, code, draw and decoder with their sizes; with `label`, the class as well."""
    hidden = ["·".join(map(str, widths)) for widths in (encoder_widths, decoder_widths)]
    word = {1: "one number", 2: "two numbers", 3: "three numbers"}.get(latent_dim)
    word = f"{word or f'{latent_dim} numbers'} each"
    y = 120
    encoder = (
        arrow((68, y), (88, y))
        + wedge(142, y, 104, 120, 64, "encoder")
        + text(142, 196, hidden[0]),
        arrow((194, y - 20), (208, y - 34)) + arrow((194, y + 20), (208, y + 34)),
        disc(232, y - 42, 23, "code", "μ") + disc(232, y + 42, 23, "code", "σ"),
    )
    draw = (
        arrow((255, y - 36), (298, y - 10)) + arrow((255, y + 36), (298, y + 10)),
        arrow((325, 52), (325, y - 27)) + disc(325, 30, 21, "noise", "ε", dashed=True),
        disc(325, y, 26, "code", "z"),
    )
    decoder = (
        arrow((351, y), (366, y))
        + wedge(418, y, 104, 64, 120, "decoder")
        + text(418, 196, hidden[1]),
        arrow((470, y), (488, y)) + box(522, y, 64, 64, "data", "x̂"),
    )
    kl = (
        f'<rect x="202" y="{y - 72}" width="60" height="144" rx="28" fill="none" '
        f'stroke="{COLOURS["loss"]}" stroke-width="2" stroke-dasharray="6 4"/>',
        arrow((232, y + 72), (232, 240), kind="loss", dashed=True),
        pill(232, 258, 170, "loss", "KL to N(0, I)") + text(232, 290, word),
    )
    copy = (
        arrow((522, y + 34), (522, 240), kind="loss", dashed=True),
        pill(470, 258, 172, "loss", "784 cross-entropies"),
    )
    parts = [picture(34, y, 64, digit), text(34, 170, "784"), text(522, 68, "784")]
    parts += [step(*encoder), step(*draw), step(*decoder)]
    if label is not None:
        told = box(142, 30, 104, 36, "data", label) + arrow((142, 48), (142, 62))
        told += box(418, 30, 104, 36, "data", label) + arrow((418, 48), (418, 62))
        parts.append(step(told))
    return svg(304, *parts, step(*kl), step(*copy))


def trick():
    """Draw why a draw stops the gradient and a shift and stretch don't."""

    def row(y, drawn, title):
        return (
            text(4, y - 66, title, anchor="start", weight="bold")
            + disc(150, y - 27, 22, "code", "μ") + disc(150, y + 27, 22, "code", "σ")
            + arrow((172, y - 22), (256, y - 6)) + arrow((172, y + 22), (256, y + 6))
            + disc(288, y, 29, "noise" if drawn else "code", "z", dashed=drawn)
            + arrow((318, y - 8), (424, y - 8)) + pill(482, y, 108, "loss", "loss")
        )  # fmt: skip

    low = 222
    stopped = (
        arrow((424, 98), (322, 98), kind="loss") + arrow((256, 112), (216, 122), kind="loss")
        + text(204, 126, "✕", weight="bold")
        + text(372, 122, "gradient")
    )  # fmt: skip
    flows = (
        arrow((424, low + 12), (322, low + 12), kind="loss")
        + arrow((258, low + 14), (176, low + 34), kind="loss")
        + arrow((258, low - 14), (176, low - 34), kind="loss")
        + text(372, low + 36, "gradient") + text(346, low + 62, "∂z/∂μ = 1, ∂z/∂σ = ε")
    )  # fmt: skip
    noise = disc(372, low - 62, 20, "noise", "ε", dashed=True) + arrow(
        (356, low - 50), (314, low - 18)
    )
    return svg(
        300,
        row(86, True, "Draw z from N(μ, σ²)"),
        step(stopped),
        step(row(low, False, "z = μ + σ ε") + noise),
        step(flows),
    )


def clouds():
    """Draw codes as points with a hole between them, and as clouds under one prior."""
    spots = ((-62, -46), (-78, 34), (-8, 70), (58, 40), (66, -40))
    left = "".join(
        f'<circle cx="{130 + a}" cy="{148 + b}" r="6" fill="{COLOURS["code"]}"/>' for a, b in spots
    )
    right = "".join(disc(420 + 0.72 * a, 148 + 0.72 * b, 58, "code") for a, b in spots)
    prior = (
        f'<circle cx="420" cy="148" r="116" fill="none" stroke="{COLOURS["noise"]}" '
        'stroke-width="2.5" stroke-dasharray="6 4"/>'
    )
    asked = disc(130, 148, 20, "noise", "?", dashed=True)
    return svg(
        296,
        text(130, 20, "Autoencoder: a point", weight="bold") + left,
        step(asked + text(130, 258, "a code drawn here", "was never decoded")),
        step(text(420, 20, "VAE: a cloud", weight="bold") + right),
        step(prior + text(420, 282, "wanted together: N(0, I)")),
    )


def window(see):
    """Draw the pixels that a decoder sees before it guesses the next, and what z adds."""
    side, left, top = 34, 20, 14
    cells = []
    for row in range(see + 1):
        for column in range(2 * see + 1):
            before = row < see or column < see
            here = row == see and column == see
            kind = "loss" if here else "data" if before else "plain"
            at = left + side * (column + 0.5), top + side * (row + 0.5)
            cells.append(box(*at, side - 3, side - 3, kind, *("?" if here else "")))
    x, y = left + side * (see + 0.5), top + side * (see + 0.5)
    seen = see * (2 * see + 1) + see
    code = disc(470, y, 27, "code", "z") + arrow((443, y), (x + 18, y), kind="code")
    return svg(
        top + side * (see + 1) + 62,
        *cells,
        text(444, 48, f"{seen} pixels that", "came before"),
        text(x, y + side + 14, "the next pixel"),
        step(code + text(470, y + 50, "a code, charged in full")),
    )


def channels(lecture):
    """Return the channels of the convolutions of encoder and decoder, without the last one's."""
    _, encoder, decoder = lecture.conv_vae(28, 10, 8)
    return [
        [layer.filters for layer in model.layers if hasattr(layer, "filters")][:3]
        for model in (encoder, decoder)
    ]


def drawings():
    """Return {name: SVG} with the sizes of the lecture's own networks."""
    path = next(LECTURES.glob("07-*.ipynb"))
    lecture = definitions.take(path, ["widths_2", "pixel_vae", "conv_vae"])
    see = inspect.signature(lecture.pixel_vae).parameters["see"].default
    latent_dim = decoders.SETTINGS["digits"]["latent_dim"]
    (x, y), _ = helpers.load_mnist()
    digit = x[(y == 4).argmax()]
    return {
        "vae": vae(digit, lecture.widths_2, lecture.widths_2[::-1], 2),
        "vae-class": vae(digit, *channels(lecture), latent_dim, label="class 4"),
        "trick": trick(),
        "clouds": clouds(),
        "window": window(see),
    }


def main():
    for name, drawing in drawings().items():
        replace_text(FOLDER / f"07-{name}.svg", drawing)


if __name__ == "__main__":
    main()
