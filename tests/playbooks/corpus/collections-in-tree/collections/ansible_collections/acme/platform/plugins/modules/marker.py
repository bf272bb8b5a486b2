#!/usr/bin/python
DOCUMENTATION = """
module: marker
short_description: Leaves a mark in a file
options:
  path: {type: path, required: true, description: Where}
  text: {type: str, required: true, description: What}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.acme.platform.plugins.module_utils.notes import read


def main():
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "text": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    path, text = module.params["path"], module.params["text"]
    changed = read(path) != text
    if changed and not module.check_mode:
        with open(path, "w", encoding="utf-8") as note:
            note.write(text)
    module.exit_json(changed=changed, text=text)


if __name__ == "__main__":
    main()
