import { expect, it } from "vitest";

import { shellWords } from "./shellWords";

it("quotes what a shell would part or expand", () => {
  expect(shellWords(["ansible-playbook", "-i", "hosts.ini", "site.yml"])).toBe(
    "ansible-playbook -i hosts.ini site.yml",
  );
  expect(shellWords(["-l", "web*", "it's", ""])).toBe(`-l 'web*' 'it'\\''s' ''`);
});
