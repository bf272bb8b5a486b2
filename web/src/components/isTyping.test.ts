import { expect, it } from "vitest";

import { isTyping } from "./isTyping";

/** An element inside of what these selectors name. */
const within = (...names: string[]) =>
  ({
    closest: (selectors: string) => selectors.split(",").find((one) => names.includes(one)) ?? null,
  }) as unknown as EventTarget;
const page = (dialog: boolean) => ({ querySelector: () => (dialog ? ({} as Element) : null) });

it.each([
  ["a search field", within("input"), false, true],
  ["the code editor", within("[contenteditable=true]"), false, true],
  ["a button", within("button"), false, false],
  ["the page itself", {} as EventTarget, false, false],
  ["nothing", null, false, false],
  ["a button while a dialog is open", within("button"), true, true],
])("in %s", (_, target, dialog, typing) => {
  expect(isTyping({ target }, page(dialog))).toBe(typing);
});
