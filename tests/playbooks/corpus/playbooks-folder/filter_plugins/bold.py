class FilterModule:
    def filters(self):
        return {"bold": lambda text: f"<b>{text}</b>"}
