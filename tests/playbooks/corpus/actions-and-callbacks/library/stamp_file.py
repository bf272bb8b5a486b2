#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule


def main():
    module = AnsibleModule(argument_spec={"dest": {"type": "path"}, "content": {}})
    try:
        before = open(module.params["dest"]).read()
    except OSError:
        before = None
    if before != module.params["content"]:
        with open(module.params["dest"], "w") as file:
            file.write(module.params["content"])
    module.exit_json(changed=before != module.params["content"])


if __name__ == "__main__":
    main()
