from ansible.plugins.lookup import LookupBase

DOCUMENTATION = """
name: motto
short_description: A motto for a word
options:
  _terms: {description: words, required: true}
"""


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        return [f"{term} it" for term in terms]
