class FilterModule:
    def filters(self):
        return {"rose": lambda text: f"@->-- {text}"}
