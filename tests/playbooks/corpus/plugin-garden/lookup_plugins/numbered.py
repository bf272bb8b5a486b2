from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        found = []
        for term in terms:
            path = self.find_file_in_search_path(variables, "files", term)
            if path is None:
                raise AnsibleError(f"{term} is not there")
            with open(path, encoding="utf-8") as text:
                found += [f"{number}: {line.strip()}" for number, line in enumerate(text, 1)]
        return found
