import { describe, expect, it } from "vitest";

import type { Project } from "@/api/types";
import { checkProjectForm, EMPTY_PROJECT, formOfProject, isSsh, requestOfProject } from "./projectForm";

const PROJECT: Project = {
  id: "p",
  name: "site",
  url: "https://git.example.net/site.git",
  reference: "main",
  private_key: null,
  username: "deploy",
  has_token: true,
  submodules: true,
  sync_before_launch: false,
  sync_interval_seconds: 300,
  webhook_kind: "github",
  webhook_path: "/api/webhooks/p",
  has_webhook_secret: true,
  host_keys: ["SHA256:abc"],
  synced_at: null,
  commit_id: null,
  attempted_at: null,
  error: null,
  syncing: false,
};

it("asks only for what changed", () => {
  const form = formOfProject(PROJECT);
  expect(requestOfProject(form, PROJECT)).toEqual({});
  expect(requestOfProject({ ...form, interval: "10", username: "", token: "t" }, PROJECT)).toEqual({
    sync_interval_seconds: 600,
    username: "",
    token: "t",
  });
  expect(requestOfProject({ ...form, interval: "", private_key_id: "k" }, PROJECT)).toEqual({
    sync_interval_seconds: null,
    private_key_id: "k",
  });
});

it("asks for what is filled in of a new one", () => {
  expect(requestOfProject({ ...EMPTY_PROJECT, name: " site ", url: "git@git.example.net:site.git" })).toEqual(
    { name: "site", url: "git@git.example.net:site.git" },
  );
});

describe("addresses", () => {
  it.each([
    ["https://git.example.net/a.git", true, false],
    ["ssh://git@git.example.net:2222/a.git", true, true],
    ["git@git.example.net:a.git", true, true],
    ["http://git.example.net/a.git", false, false],
    ["file:///etc", false, false],
    ["ext::sh -c date", false, false],
    ["/srv/a.git", false, false],
    ["", false, false],
  ])("%s", (url, taken, ssh) => {
    const errors = checkProjectForm({ ...EMPTY_PROJECT, name: "a", url });
    expect(errors.url === undefined).toBe(taken);
    expect(isSsh(url)).toBe(ssh);
  });
  it("wants a key for ssh", () => {
    const form = { ...EMPTY_PROJECT, name: "a", url: "git@git.example.net:a.git" };
    expect(checkProjectForm(form).private_key_id).toBeDefined();
    expect(checkProjectForm({ ...form, private_key_id: "k" })).toEqual({});
  });
  it("wants a positive interval", () => {
    const errors = (interval: string) =>
      checkProjectForm({ ...EMPTY_PROJECT, name: "a", url: "https://a/b", interval }).interval;
    expect(errors("5")).toBeUndefined();
    expect(errors("")).toBeUndefined();
    expect(errors("0")).toBeDefined();
    expect(errors("often")).toBeDefined();
  });
});
