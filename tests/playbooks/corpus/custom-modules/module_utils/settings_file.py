def change(text, key, value):
    """Returns the text with the key set."""
    kept = [line for line in text.splitlines() if line.split("=")[0].strip() != key]
    return "\n".join(kept + [f"{key} = {value}"]) + "\n"
