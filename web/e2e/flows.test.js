// What an operator does in the first hour, in a real browser against the real program.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { startEverything } from "./harness.js";

const WORK = `
# Works on every host; one host fails at the end when asked to.
- name: Work
  hosts: all
  gather_facts: false
  tasks:
    - name: Take a moment
      ansible.builtin.command: sleep {{ 1 if inventory_hostname == 'web1' else 3 }}
    - name: Check the disk
      ansible.builtin.command: "{{ 'cat /nonexistent/disk' if inventory_hostname == broken | default('') else 'true' }}"
`;
const LONG = `
- name: Long work
  hosts: all
  gather_facts: false
  tasks:
    - name: Sleep
      ansible.builtin.command: sleep 600
`;

const patience = 120_000;
let admiral;
let page;
const problems = [];

before(async () => {
  admiral = await startEverything();
  admiral.addPlaybook("work", WORK);
  admiral.addPlaybook("long", LONG);
  const context = await admiral.browser.newContext({ viewport: { width: 1400, height: 900 } });
  page = await context.newPage();
  page.setDefaultTimeout(patience);
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    // The browser reports the answer to "am I signed in?" as an error of its own.
    if (message.type() === "error" && !message.text().includes("401")) problems.push(message.text());
  });
});

after(async () => {
  await admiral?.stop();
});

const button = (name) => page.getByRole("button", { name, exact: true });
const link = (name) => page.getByRole("link", { name, exact: true });
const field = (label) => page.getByLabel(label, { exact: false }).first();
const visible = (locator) => locator.first().waitFor({ state: "visible" });

/** Goes through the three steps; `variables` are given as name → value. */
async function launch(playbook, variables = {}) {
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Deployments" }).click();
  await link("New deployment").first().click();
  await page.getByRole("combobox", { name: "Playbook" }).selectOption(playbook);
  for (const [index, [name, value]] of Object.entries(variables).entries()) {
    await button("Add variable").click();
    await page.getByLabel(`Name of variable ${index + 1}`).fill(name);
    await page.getByLabel(`Value of ${name}`).fill(value);
  }
  await button("Next").click();
  await page.getByRole("button", { name: /^Select all/ }).click();
  await button("Next").click();
  await visible(page.getByText("web2"));
  await button("Deploy").click();
  await page.waitForURL(/\/deployments\/(?!new)/);
}

const hostRow = (host) => page.getByRole("row").filter({ hasText: host });

test("the set-up link makes the first admin, who can sign out and in again", async () => {
  await page.goto(admiral.setupUrl);
  await field("Username").fill("ada");
  await page.getByRole("textbox", { name: "Password" }).or(page.locator("input[type=password]")).first().fill("a long enough password");
  await page.locator("button[type=submit]").click();
  await visible(link("New deployment"));

  await page.getByRole("button", { name: /ada/ }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await visible(button("Sign in"));
  await field("Username").fill("ada");
  await page.locator("input[type=password]").fill("not the password");
  await button("Sign in").click();
  await visible(page.getByRole("alert"));
  await page.locator("input[type=password]").fill("a long enough password");
  await button("Sign in").click();
  await visible(link("New deployment"));
});

test("a key is added and another generated", async () => {
  await page.getByRole("link", { name: "Keys" }).click();
  const file = path.join(admiral.folder, "own_key");
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "own", "-f", file]);
  admiral.authorize(fs.readFileSync(`${file}.pub`, "utf8"));
  await button("Add key").first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("own");
  await dialog.getByLabel("Private key").fill(fs.readFileSync(file, "utf8"));
  await dialog.getByRole("button", { name: "Add key", exact: true }).click();
  await visible(page.getByRole("row").filter({ hasText: "own" }).filter({ hasText: "SHA256:" }));

  await button("Generate key").first().click();
  await page.getByRole("dialog").getByLabel("Name").fill("made");
  await page.getByRole("dialog").getByRole("button", { name: "Generate", exact: true }).click();
  const publicKey = await page.getByRole("dialog").getByText(/^ssh-ed25519 /).first().innerText();
  admiral.authorize(publicKey);
  await button("Done").click();
  assert.ok(!(await page.content()).includes("PRIVATE KEY"), "the private part is never shown again");
});

test("servers are added, and a bad field is named", async () => {
  await page.getByRole("link", { name: "Servers" }).click();
  for (const [n, key] of [["1", "own"], ["2", "made"]]) {
    await button("Add server").first().click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Hostname").fill(n === "1" ? "web 1" : "web2");
    await dialog.getByLabel("SSH host").fill(`127.0.2.${n}`);
    await dialog.getByLabel("SSH port").fill(String(admiral.sshPort));
    await dialog.getByLabel("SSH user").fill(admiral.sshUser);
    await dialog.getByLabel("Private key").selectOption({ label: `${key} (ssh-ed25519)` });
    await dialog.getByLabel("Tags").fill("web");
    await dialog.getByRole("button", { name: "Add server", exact: true }).click();
    if (n === "1") {
      await dialog.locator("[aria-invalid=true]").first().waitFor();
      assert.equal(await dialog.locator("[aria-invalid=true]").first().inputValue(), "web 1");
      await dialog.getByLabel("Hostname").fill("web1");
      await dialog.getByRole("button", { name: "Add server", exact: true }).click();
    }
    await dialog.waitFor({ state: "hidden" });
    await visible(hostRow(`web${n}`));
  }
});

test("hosts go green without a reload", async () => {
  await launch("custom/work/site.yml");
  await page.evaluate(() => {
    window.neverReloaded = true;
  });
  // web1 is done while web2 still works.
  await visible(hostRow("web1").getByText("running"));
  await visible(hostRow("web1").getByText("success"));
  await visible(hostRow("web2").getByText("success"));
  await visible(page.getByText("completed"));
  assert.equal(await page.evaluate(() => window.neverReloaded), true);
  await page.getByRole("tab", { name: "Log" }).or(link("Log")).first().click();
  await visible(page.getByText("PLAY RECAP"));
});

test("a failed task opens to its result", async () => {
  await launch("custom/work/site.yml", { broken: "web2" });
  await visible(hostRow("web2").getByText("failed"));
  await visible(page.getByText("1 of 2 hosts failed"));
  await hostRow("web2").click();
  const panel = page.getByRole("dialog");
  await visible(panel.getByRole("list", { name: "Tasks" }).getByText("Check the disk"));
  await visible(panel.getByText(/No such file or directory/));
});

test("a running deployment is cancelled", async () => {
  await launch("custom/long/site.yml");
  await visible(hostRow("web1").getByText("running"));
  await button("Cancel deployment").click();
  await page.getByRole("dialog").or(page.getByRole("alertdialog")).getByRole("button", { name: "Cancel deployment" }).click();
  await visible(hostRow("web1").getByText("cancelled"));
  await visible(hostRow("web2").getByText("cancelled"));
  await visible(button("Relaunch").or(link("Relaunch")));
  execFileSync("pkill", ["-KILL", "-f", "^sleep 600"], { stdio: "ignore" });
});

test("the pages raised no error", () => {
  assert.deepEqual(problems, []);
});
