from ansible.inventory.host import Host
from ansible.plugins.vars import BaseVarsPlugin


class VarsModule(BaseVarsPlugin):
    def get_vars(self, loader, path, entities):
        super().get_vars(loader, path, entities)
        entities = entities if isinstance(entities, list) else [entities]
        names = [entity.name for entity in entities if isinstance(entity, Host)]
        return {"weather": f"sunny on {names[0]}"} if names else {}
