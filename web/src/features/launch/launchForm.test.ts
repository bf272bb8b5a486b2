import { expect, it } from "vitest";

import { deploymentFixture } from "@/api/fixtures.test-data";
import type { PlaybookForm } from "@/api/types";
import { answerErrors, givenAnswers } from "./given";
import {
  checkLaunch,
  EMPTY_LAUNCH,
  firstStepWithError,
  isFilledIn,
  formOfDeployment,
  requestOfLaunch,
  settleAnswers,
  stepOfField,
} from "./launchForm";

const FORM = { ...EMPTY_LAUNCH, playbook: "builtin/ping.yml", serverIds: ["a"] };
const row = (key: number, name: string, value: string, secret = false) => ({ key, name, value, secret });

it("asks for exactly one kind of target", () => {
  expect(requestOfLaunch(FORM)).toEqual({
    playbook: "builtin/ping.yml",
    server_ids: ["a"],
    options: {
      forks: 50,
      timeout_seconds: 3600,
      verbosity: 0,
      check: false,
      diff: false,
      become: false,
      slices: 1,
      allow_overlap: false,
      priority: 0,
    },
  });
  const byTags = requestOfLaunch({ ...FORM, mode: "tags", targetTags: ["web"] });
  expect(byTags.tags).toEqual(["web"]);
  expect(byTags.server_ids).toBeUndefined();
  expect(requestOfLaunch({ ...FORM, mode: "all" }).all).toBe(true);
});

it("parts secret from other variables", () => {
  const variables = [row(0, "version", "1.4"), row(1, "token", "123", true), row(2, "", "")];
  const request = requestOfLaunch({ ...FORM, variables });
  expect(request.variables).toEqual({ version: 1.4 });
  expect(request.secret_variables).toEqual({ token: "123" });
});

it("gives the request of the deployment it was made from", () => {
  const deployment = deploymentFixture({
    playbook: "project/site.yml",
    variables: { port: 80, version: "2", list: ["a"] },
    options: { forks: 5, check: true, tags: ["setup", "config"], limit: "web*", timeout_seconds: 60 },
    target: { kind: "tags", tags: ["web", "eu"] },
  });
  deployment.options = {
    ...deployment.options,
    slices: 4,
    accelerator: "mitogen",
    allow_overlap: true,
    priority: -3,
  };
  const request = requestOfLaunch(formOfDeployment(deployment));
  expect(request.variables).toEqual(deployment.variables);
  expect(request.options).toMatchObject(deployment.options);
  expect(request.tags).toEqual(["web", "eu"]);
});

it("finds what is wrong and the step it is on", () => {
  expect(checkLaunch(FORM)).toEqual([]);
  const wrong = checkLaunch({
    ...FORM,
    playbook: "",
    forks: "0",
    serverIds: [],
    variables: [
      row(0, "2x", "1"),
      row(1, "a", "1"),
      row(2, "a", "2"),
      row(3, "s", "", true),
      row(4, "", "v"),
    ],
  });
  expect(wrong.map((error) => error.field)).toEqual([
    "playbook",
    "options.forks",
    "row.0",
    "row.2",
    "row.3",
    "row.4",
    "server_ids",
  ]);
  expect(firstStepWithError(wrong)).toBe("configuration");
  expect(firstStepWithError([{ field: "server_ids", message: "" }])).toBe("servers");
  expect(firstStepWithError([])).toBeNull();
});

it("knows where a field of the API is edited", () => {
  expect(stepOfField("server_ids.3")).toBe("servers");
  expect(stepOfField("tags")).toBe("servers");
  expect(stepOfField("options.tags")).toBe("configuration");
  expect(stepOfField("variables.x")).toBe("configuration");
});

it("takes variables that are fields for answers, and answers without a field for variables", () => {
  const form = {
    ...FORM,
    answers: { port: { value: "80", secret: false }, gone: { value: "x", secret: false } },
    variables: [row(4, "token", "123", true), row(5, "other", "1")],
  };
  const settled = settleAnswers(form, ["port", "token"]);
  expect(settled.answers).toEqual({
    port: { value: "80", secret: false },
    token: { value: "123", secret: true },
  });
  expect(settled.variables).toEqual([row(5, "other", "1"), row(6, "gone", "x")]);
  expect(requestOfLaunch(settled)).toMatchObject(requestOfLaunch(form));
  expect(settleAnswers(settled, ["port", "token"])).toBe(settled);
});

it("does not take the secret of an earlier deployment for an answer", () => {
  const deployment = deploymentFixture({ playbook: "project/site.yml", secret_variables: ["token"] });
  const form = settleAnswers(formOfDeployment(deployment), ["token"]);
  expect(givenAnswers(form, new Map()).get("token")).toEqual({ kind: "secret", text: "" });
  const field = { name: "token", type: "secret", required: false, default: null, shown_when: null };
  const definition = { source: "draft", form: { fields: [field] } } as unknown as PlaybookForm;
  expect(answerErrors(definition, givenAnswers(form, new Map()))).toHaveLength(1);
});

it("knows whether something was filled in", () => {
  const initial = { ...FORM, variables: [row(0, "port", "80"), row(1, "other", "1")] };
  expect(isFilledIn({ ...initial, playbook: "project/site.yml" }, initial)).toBe(false);
  // Rows that turn out to be fields are no change.
  expect(isFilledIn(settleAnswers(initial, ["port"]), initial)).toBe(false);
  expect(isFilledIn({ ...initial, name: "Tonight" }, initial)).toBe(true);
  expect(isFilledIn({ ...initial, variables: [] }, initial)).toBe(true);
  expect(isFilledIn({ ...initial, answers: { tls: { value: "", secret: false } } }, initial)).toBe(true);
});

it("leaves out what the form does not ask for", () => {
  const form = {
    ...FORM,
    answers: { tls: { value: "false", secret: false }, certificate: { value: "x", secret: false } },
    files: { key: { name: "key.pem", content_base64: "eA==", size: 1 } },
  };
  const request = requestOfLaunch(form, new Set(["certificate", "key"]));
  expect(request.variables).toEqual({ tls: false });
  expect(request.files).toBeUndefined();
  expect(requestOfLaunch(form).files).toEqual({ key: { name: "key.pem", content_base64: "eA==" } });
});

it("asks for an environment's and a preset's variables, not for their values", () => {
  const deployment = deploymentFixture({
    playbook: "project/site.yml",
    variables: { region: "eu", port: 80, size: 1, key: "/run/key" },
    secret_variables: ["token"],
    file_variables: ["key"],
    variable_sources: {
      region: "environment",
      token: "environment",
      port: "launch",
      size: "form",
      key: "launch",
    },
  });
  const form = formOfDeployment(deployment, { environmentId: "e" });
  expect(form.variables).toEqual([row(0, "port", "80")]);
  expect(requestOfLaunch(form)).toMatchObject({ environment_id: "e", variables: { port: 80 } });
  expect(formOfDeployment(deployment).variables.map((one) => one.name)).toEqual(["region", "port", "token"]);
});

it("asks for a command instead of a playbook", () => {
  const form = {
    ...EMPTY_LAUNCH,
    kind: "adhoc" as const,
    module: "shell",
    moduleArguments: "uptime",
    serverIds: ["a"],
  };
  expect(checkLaunch(form)).toEqual([]);
  expect(requestOfLaunch(form)).toMatchObject({ command: { module: "shell", arguments: "uptime" } });
  expect(requestOfLaunch(form).playbook).toBeUndefined();
  expect(checkLaunch({ ...form, module: " " }).map((error) => error.field)).toEqual(["command.module"]);
  const deployment = deploymentFixture({
    kind: "adhoc",
    playbook: "shell",
    command: { kind: "module", module: "shell", arguments: "uptime" },
  });
  expect(formOfDeployment(deployment)).toMatchObject({ kind: "adhoc", playbook: "", module: "shell" });
});
