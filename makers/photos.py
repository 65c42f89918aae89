"""Make data/photos/*.jpg and their contact sheet data/photos_sheet.png.

    apt-get download gcompris-qt-data=3.1-2
    python -m makers.photos gcompris-qt-data_3.1-2_all.deb

Three sources: the sample pictures of the installed scikit-learn and scikit-image (1.9.1 and
0.26.0, as locked), and the resource
files of the learning game GCompris (they need the command `zstd`: apt-get install zstd). Every
picture has its card in data/README.md with creator and licence. Pictures under a share-alike
licence and numbered files whose licence line may belong to another picture were left out.
"""

import io
import re
import struct
import subprocess
import sys
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from makers.common import DATA, check_source, open_deb, save_bytes

GCOMPRIS_SHA256 = "e9cf06ab2105529068df73085784e835d2ff03f870d2a8091f09125d40abac9f"
ANIMALS = "explore_world_animals/resource/animals"
THINGS = "categorization/resource/images"
INSTALLED = {  # name: (package, file, SHA-256)
    "camera": (
        "skimage",
        "data/camera.png",
        "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
    ),
    "cat": (
        "skimage",
        "data/chelsea.png",
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    ),
    "china": (
        "sklearn",
        "datasets/images/china.jpg",
        "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
    ),
    "coffee": (
        "skimage",
        "data/coffee.png",
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    ),
    "flower": (
        "sklearn",
        "datasets/images/flower.jpg",
        "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
    ),
    "rocket": (
        "skimage",
        "data/rocket.jpg",
        "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
    ),
}
GCOMPRIS = {  # name: path below src/activities of the game, whose first folder names the .rcc
    "crocodile": f"{ANIMALS}/crocodile.webp",
    "goldfish": f"{THINGS}/fishes/fish25.webp",
    "moose": f"{ANIMALS}/moose.webp",
    "pan": f"{THINGS}/others/pan.webp",
    "panda": f"{ANIMALS}/panda.webp",
    "screwdriver": f"{THINGS}/tools/screwDriver2.webp",
    "tape": f"{THINGS}/tools/measuringTape4.webp",
    "cafe_terrace": "details/resource/image/Gogh4_background.webp",
    "church_auvers": "details/resource/image/Eglise_dAuvers-sur-Oise_background.webp",
}
JIGSAWS = {  # name: number of the board that says where the pieces go
    "great_wave": 7,
    "ejiri": 6,
    "village_street": 22,
}
BOARD = (702, 515)  # width and height in pixels of a jigsaw's board
MARGIN = 20  # pixels: pieces may lie a little over the board's edge
LONGEST = 640  # longest side of a shipped picture in pixels


def read_rcc(raw):
    """Return {path: (packed bytes, flags)} of the files in a Qt resource file, version 3."""
    tree, data, names = struct.unpack_from(">III", raw, 8)
    files = {}

    def walk(node, folder):
        at = tree + 22 * node
        name_at, flags = struct.unpack_from(">IH", raw, at)
        length = struct.unpack_from(">H", raw, names + name_at)[0]
        start = names + name_at + 6
        path = f"{folder}/{raw[start : start + 2 * length].decode('utf-16-be')}" if node else ""
        if flags & 2:  # a folder
            count, first = struct.unpack_from(">II", raw, at + 6)
            for child in range(first, first + count):
                walk(child, path)
        else:
            start = data + struct.unpack_from(">I", raw, at + 10)[0]
            body = raw[start + 4 : start + 4 + struct.unpack_from(">I", raw, start)[0]]
            files[path] = (body, flags)

    walk(0, "")
    return files


def unpack(entry):
    """Return the bytes of one entry of read_rcc, which is plain or packed by zlib or zstd."""
    body, flags = entry
    if flags & 4:
        return subprocess.run(["zstd", "-dc"], input=body, capture_output=True, check=True).stdout
    return zlib.decompress(body[4:]) if flags & 1 else body


def join_jigsaw(files, board):
    """Return the picture that the pieces of a board make, in the places that the board says."""
    folder = "/gcompris/src/activities/paintings/resource"
    text = unpack(files[f"{folder}/board/board{board}_0.qml"]).decode()
    total = np.zeros((BOARD[1] + 2 * MARGIN, BOARD[0] + 2 * MARGIN, 4))
    for name, x, y in re.findall(r'"(image/\S+)",\s+"x" : "(\S+)",\s+"y" : "(\S+)"', text):
        piece = Image.open(io.BytesIO(unpack(files[f"{folder}/{name}"]))).convert("RGBA")
        piece = np.asarray(piece, "float64")
        high, wide = piece.shape[:2]
        top = MARGIN + round(float(y) * BOARD[1] - high / 2)
        left = MARGIN + round(float(x) * BOARD[0] - wide / 2)
        alpha = piece[..., 3:] / 255
        total[top : top + high, left : left + wide] += np.dstack([piece[..., :3] * alpha, alpha])
    painted = total[..., 3] > 0.5
    rows, columns = np.flatnonzero(painted.any(1)), np.flatnonzero(painted.any(0))
    total = total[rows[0] + 4 : rows[-1] - 3, columns[0] + 4 : columns[-1] - 3]  # ragged edge
    pixels = total[..., :3] / np.maximum(total[..., 3:], 1e-3)
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype("uint8"))


def save_photo(name, raw=None, picture=None):
    """Write data/photos/`name`.jpg: a JPEG file of at most 640 pixels as it is, else re-encoded."""
    picture = picture or Image.open(io.BytesIO(raw))
    if picture.format != "JPEG" or max(picture.size) > LONGEST:
        picture = picture.convert("RGB")
        picture.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
        packed = io.BytesIO()
        picture.save(packed, "JPEG", quality=92)
        raw = packed.getvalue()
    save_bytes(f"photos/{name}.jpg", raw)


def save_contact_sheet(names, columns=6, wide=200, high=150):
    """Write data/photos_sheet.png, a table of all pictures with their names."""
    sheet = Image.new("RGB", (columns * wide, -(-len(names) // columns) * (high + 18)), "white")
    draw = ImageDraw.Draw(sheet)
    for i, name in enumerate(names):
        x, y = i % columns * wide, i // columns * (high + 18)
        with Image.open(DATA / f"photos/{name}.jpg") as picture:
            picture.thumbnail((wide - 6, high))
            sheet.paste(picture, (x, y))
        draw.text((x, y + high + 2), name, fill="black")
    packed = io.BytesIO()
    sheet.quantize(256).save(packed, "PNG", optimize=True)
    save_bytes("photos_sheet.png", packed.getvalue())


def save_installed():
    """Write the pictures that come from installed packages."""
    for name, (module, file, sha256) in INSTALLED.items():
        folder = Path(find_spec(module).submodule_search_locations[0])
        save_photo(name, check_source(folder / file, sha256))


def main(package):
    save_installed()
    with open_deb(package, GCOMPRIS_SHA256) as deb:
        activities = {path.split("/")[0] for path in GCOMPRIS.values()} | {"paintings"}
        rcc = {
            name: read_rcc(deb.extractfile(f"./usr/share/gcompris-qt/rcc/{name}.rcc").read())
            for name in activities
        }
    for name, path in GCOMPRIS.items():
        files = rcc[path.split("/")[0]]
        save_photo(name, unpack(files[f"/gcompris/src/activities/{path}"]))
    for name, board in JIGSAWS.items():
        save_photo(name, picture=join_jigsaw(rcc["paintings"], board))
    save_contact_sheet([*sorted(INSTALLED | GCOMPRIS | JIGSAWS)])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
