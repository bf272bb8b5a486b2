"""Writes each of the values that it is given as JSON in the ways in which programs write text."""

import base64
import html
import json
import re
import shlex
import sys
import textwrap
import urllib.parse

import yaml


def wrapped(text, columns):
    return "\n".join(text[at : at + columns] for at in range(0, len(text), columns))


def encodings(value):
    raw = value.encode()
    plain = dict(width=40, allow_unicode=True)
    yield "raw", value
    yield "json", json.dumps(value)
    yield "json, not ascii", json.dumps(value, ensure_ascii=False)
    yield "json, twice", json.dumps(json.dumps(value))
    yield "json, three times", json.dumps(json.dumps(json.dumps(value)))
    yield "json, pretty", json.dumps([[value.splitlines()]], indent=4)
    yield "python", repr(value)
    yield "python, ascii", ascii(value)
    yield "python, bytes", repr(raw)
    yield "python in json", json.dumps(repr([value]))
    yield "yaml", yaml.safe_dump([[value]], width=40)
    yield "yaml, unicode", yaml.safe_dump([[value]], **plain)
    yield "yaml, single quotes", yaml.safe_dump([[value]], default_style="'", **plain)
    yield "yaml, double quotes", yaml.safe_dump([[value]], default_style='"', width=40)
    yield "yaml, literal", yaml.safe_dump([[value]], default_style="|", **plain)
    yield "yaml, folded", yaml.safe_dump([[value]], default_style=">", **plain)
    yield "yaml in json", json.dumps(yaml.safe_dump([[value]], default_style='"', width=30))
    yield "shell", shlex.quote(value)
    yield "shell, twice", shlex.quote(shlex.quote(value))
    yield "shell, the other way", "'" + value.replace("'", "'\\''") + "'"
    yield "shell, double quotes", '"' + "".join("\\" + c if c in '"\\$`' else c for c in value) + '"'
    yield "shell, backslashes", "".join(c if c.isalnum() or c == "\n" else "\\" + c for c in value)
    yield "shell in json", json.dumps(shlex.quote(value))
    yield "url", urllib.parse.quote(value, safe="")
    yield "url, path", urllib.parse.quote(value)
    yield "url, form", urllib.parse.quote_plus(value)
    yield "url, lower case", re.sub("%..", lambda escape: escape[0].lower(), urllib.parse.quote(value, safe=""))
    yield "url, twice", urllib.parse.quote(urllib.parse.quote(value, safe=""), safe="")
    yield "url of json", urllib.parse.quote_plus(json.dumps(value))
    yield "html", html.escape(value)
    for before in (b"", b"x", b"xy"):
        # What the neighbours have a part in is no part of the secret.
        drop = (len(before) * 8 + 5) // 6
        encoded = base64.b64encode(before + raw + b"tail").decode()
        keep = (len(before) + len(raw)) * 8 // 6
        yield "base64 after %d bytes" % len(before), encoded[drop:keep]
        yield "base64 after %d bytes, 76 columns" % len(before), wrapped(encoded[drop:keep], 76)
        yield "base64 after %d bytes, url" % len(before), encoded[drop:keep].replace("+", "-").replace("/", "_")
    yield "base64, 64 columns in json", json.dumps(wrapped(base64.b64encode(raw).decode(), 64))
    yield "hex", raw.hex()
    yield "hex, upper", raw.hex().upper()
    yield "wrapped", "\n".join(textwrap.wrap(value, 29))
    yield "coloured", "".join("\x1b[0;3%dm%s\x1b[0m" % (index % 8, c) for index, c in enumerate(value))


values = json.load(sys.stdin)
found = {kind: {name: text for name, text in encodings(value)} for kind, value in values.items()}
if sys.argv[1:] == ["--json"]:
    json.dump(found, sys.stdout)
else:
    for kind, texts in found.items():
        for name, text in texts.items():
            print("%s, %s: <%s>" % (kind, name, text))
