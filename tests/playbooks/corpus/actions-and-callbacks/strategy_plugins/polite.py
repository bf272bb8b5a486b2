DOCUMENTATION = """
name: polite
short_description: As linear
"""

from ansible.plugins.strategy.linear import StrategyModule as LinearStrategy


class StrategyModule(LinearStrategy):
    pass
