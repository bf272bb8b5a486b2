import { expect, it } from "vitest";

import { checkServerForm, EMPTY_SERVER_FORM, requestOfForm } from "./serverForm";

it("asks for the address when none is given apart from the hostname", () => {
  const form = { ...EMPTY_SERVER_FORM, hostname: " web1 ", tags: "web, eu web" };
  expect(requestOfForm(form, false)).toEqual({
    hostname: "web1",
    ssh_host: "web1",
    ssh_port: 22,
    ssh_username: "root",
    tags: ["web", "eu"],
    status: "active",
  });
});

it("removes what was emptied while editing", () => {
  const request = requestOfForm({ ...EMPTY_SERVER_FORM, hostname: "web1", ssh_host: "10.0.0.1" }, true);
  expect(request.private_key_id).toBeNull();
  expect(request.distro).toBeNull();
});

it("takes host variables as a JSON object", () => {
  const form = { ...EMPTY_SERVER_FORM, hostname: "web1", metadata: '{"http_port": 8080}' };
  expect(checkServerForm(form)).toEqual({});
  expect(requestOfForm(form, false).metadata).toEqual({ http_port: 8080 });
  expect(requestOfForm({ ...form, metadata: " " }, true).metadata).toEqual({});
  expect(checkServerForm({ ...form, metadata: "[1]" }).metadata).toBeDefined();
  expect(checkServerForm({ ...form, metadata: "http_port: 8080" }).metadata).toBeDefined();
});

it("refuses what cannot be right", () => {
  expect(checkServerForm({ ...EMPTY_SERVER_FORM, hostname: "web1" })).toEqual({});
  expect(checkServerForm(EMPTY_SERVER_FORM).hostname).toBeDefined();
  expect(checkServerForm({ ...EMPTY_SERVER_FORM, hostname: "web 1" }).hostname).toBeDefined();
  expect(
    checkServerForm({ ...EMPTY_SERVER_FORM, hostname: "web1", ssh_port: "70000" }).ssh_port,
  ).toBeDefined();
});
