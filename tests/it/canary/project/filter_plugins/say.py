"""Says things as Ansible itself says them."""

from ansible.utils.display import Display


def say(text):
    display = Display()
    display.warning("the warning is %s" % text)
    display.warning("formatted %s" % text, formatted=True)
    display.error("the error is %s" % text)
    display.vvv("the detail is %s" % text)
    return "said %s" % text


class FilterModule:
    def filters(self):
        return {"say": say}
