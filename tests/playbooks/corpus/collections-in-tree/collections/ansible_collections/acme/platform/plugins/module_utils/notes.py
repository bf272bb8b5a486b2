"""Shared by the collection's modules."""


def read(path):
    try:
        with open(path, encoding="utf-8") as note:
            return note.read()
    except FileNotFoundError:
        return None
