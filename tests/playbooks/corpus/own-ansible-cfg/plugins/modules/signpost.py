#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule(argument_spec={"dest": {"type": "path"}, "text": {}})
with open(module.params["dest"], "w") as post:
    post.write(module.params["text"] + "\n")
module.exit_json(changed=True)
