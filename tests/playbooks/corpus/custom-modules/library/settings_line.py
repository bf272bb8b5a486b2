#!/usr/bin/python
import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.settings_file import change


def main():
    module = AnsibleModule(
        argument_spec=dict(file=dict(type="path", required=True), key=dict(required=True), value=dict(required=True)),
        supports_check_mode=True,
    )
    if " " in module.params["key"]:
        module.fail_json(msg="a key has no spaces", key=module.params["key"])
    path = module.params["file"]
    before = open(path).read() if os.path.exists(path) else ""
    after = change(before, module.params["key"], module.params["value"])
    if before != after and not module.check_mode:
        with open(path, "w") as out:
            out.write(after)
    module.exit_json(changed=before != after, diff=dict(before=before, after=after))


if __name__ == "__main__":
    main()
