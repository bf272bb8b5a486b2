#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule(argument_spec={"what": {"required": True}})
module.exit_json(changed=True, planted=module.params["what"])
