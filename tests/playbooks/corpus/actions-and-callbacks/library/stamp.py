# The documentation of the action plugin of this name.
