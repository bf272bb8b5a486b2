DOCUMENTATION = """
name: here
short_description: This machine
options: {}
"""

from ansible.plugins.connection.local import Connection as LocalConnection


class Connection(LocalConnection):
    transport = "here"
