"""Live explorers in the site: their scripts and data in files, and what was changed in them.

Their HTML comes from support/live.py, which needs Keras; rendering and checking don't.
"""

import hashlib
import json
import re
from pathlib import Path

from book import ROOT

SCRIPTS = ROOT / "support" / "explorers"
BLOCK = re.compile(
    r'(<div class="live" id="(live-[0-9a-f]{16})".*?<script type="application/json" '
    r'class="live-data">)(.*?)(</script>\n<script[^>]*? class="live-scripts")>.*?</script>',
    re.S,
)


def sha(text):
    """Return the hash that stored networks and explorers bear, as support/live.py makes it."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def network_hash(stored):
    """Return the hash of a stored network: of its layers, weights and check."""
    kept = {key: value for key, value in stored.items() if key != "hash"}
    return sha(json.dumps(kept, sort_keys=True))


def as_json(data):
    """Return data as JSON that can stand in a script element of HTML."""
    return json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")


def blocks(text):
    """Return {name: data} of the live explorers in HTML; see support/live.py for what they hold."""
    return {name: json.loads(data) for _, name, data, _ in BLOCK.findall(text)}


def damaged(text):
    """Yield a sentence for each live explorer in HTML that isn't as the lecture's run made it."""
    for _, name, data, _ in BLOCK.findall(text):
        if name != f"live-{sha(data)}":
            yield f"the explorer {name} isn't what the lecture's run stored: execute it again"
        for what, stored in json.loads(data)["models"].items():
            if stored["hash"] != network_hash(stored):
                yield f"the network {what} of {name} has another hash: execute the lecture again"


def let_in(text, nonce):
    """Return (an output's HTML for a page, the same without its live explorers).

    Their scripts are left out, as the site's own live.js stands for them; the element that will
    load it gets the page's `nonce`. Their data are read and written anew, as plain JSON.
    """

    def own(match):
        start, _, data, _ = match.groups()
        return (
            f"{start}{as_json(json.loads(data))}</script>\n"
            f'<script nonce="{nonce}" class="live-scripts"></script>'
        )

    return BLOCK.sub(own, text), BLOCK.sub("", text)


def lighten(text, page, up):
    """Return a page's HTML with the data and scripts of its live explorers in files.

    `page` is the page's path, beside which PAGE_files/live-….js are written; `up` leads from there
    to the site's root, where site_libs/book/live.js has the scripts.
    """
    page = Path(page)
    folder = f"{page.name.split('.')[0]}_files"

    def moved(match):
        start, name, data, end = match.groups()
        target = page.parent / folder / f"{name}.js"
        target.parent.mkdir(exist_ok=True)
        target.write_text(f'bookLive.data["{name}"] = {data};\n', encoding="utf-8")
        source = json.dumps({"src": f"{folder}/{name}.js", "name": name})
        return f'{start}{source}{end} src="{up}site_libs/book/live.js" defer></script>'

    return BLOCK.sub(moved, text)


def site_script():
    """Return the text of site_libs/book/live.js: the scripts of all explorers."""
    first = [SCRIPTS / "engine.js", SCRIPTS / "parts.js"]
    files = first + sorted(set(SCRIPTS.glob("*.js")) - set(first))
    return "\n".join([*(file.read_text(encoding="utf-8") for file in files), "bookLive.scan();\n"])
