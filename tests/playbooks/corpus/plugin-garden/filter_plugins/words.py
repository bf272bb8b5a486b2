import codecs

from ansible.errors import AnsibleFilterError


def rot13(text):
    if not isinstance(text, str):
        raise AnsibleFilterError("rot13 turns text")
    return codecs.encode(text, "rot13")


class FilterModule:
    def filters(self):
        return {"rot13": rot13, "spread": lambda numbers: max(numbers) - min(numbers)}
