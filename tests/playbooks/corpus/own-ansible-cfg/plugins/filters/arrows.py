class FilterModule:
    def filters(self):
        return {"arrows": lambda words: " ".join(f"{key}->{words[key]}" for key in sorted(words))}
