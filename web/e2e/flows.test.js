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
/** Leaves its process id behind: what already runs on a host outlives the cancelled deployment. */
const long = (folder) => `
- name: Long work
  hosts: all
  gather_facts: false
  tasks:
    - name: Sleep
      ansible.builtin.shell: echo $$ > ${folder}/{{ inventory_hostname }}.pid && exec sleep 600
`;

/** Adds a host of its own in every run, and works there. */
const SLICED = `
- name: Work on the servers
  hosts: all
  gather_facts: false
  tasks:
    - name: Look
      ansible.builtin.command: "true"
- name: Work on the controller
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Say who is here
      ansible.builtin.debug:
        msg: "this slice has {{ groups.all | join(' and ') }}"
`;
/** Holds its servers until a file is there. */
const hold = (folder) => `
- name: Hold
  hosts: all
  gather_facts: false
  tasks:
    - name: Wait for the file
      ansible.builtin.shell: for i in $(seq 1200); do [ -e ${folder}/go ] && exit 0; sleep 0.1; done; exit 1
`;

const patience = 120_000;
let admiral;
let page;
const problems = [];
const refusals = new Set();

before(async () => {
  admiral = await startEverything();
  admiral.addPlaybook("work", WORK);
  admiral.addPlaybook("long", long(admiral.folder));
  admiral.addPlaybook("sliced", SLICED);
  admiral.addPlaybook("hold", hold(admiral.folder));
  const context = await admiral.browser.newContext({ viewport: { width: 1400, height: 900 } });
  page = await context.newPage();
  page.setDefaultTimeout(patience);
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    // The browser reports every refusing answer as an error of its own; those are looked at one by one.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      problems.push(message.text());
  });
  page.on("requestfailed", (request) => {
    // Leaving a page ends its streams and reads.
    if (request.failure().errorText !== "net::ERR_ABORTED") problems.push(`${request.url()} failed`);
  });
  page.on("response", (response) => {
    if (response.status() < 400) return;
    refusals.add(`${response.request().method()} ${new URL(response.url()).pathname}: ${response.status()}`);
  });
});

after(async () => {
  for (const host of ["web1", "web2"]) {
    const file = path.join(admiral.folder, `${host}.pid`);
    if (fs.existsSync(file)) process.kill(Number(fs.readFileSync(file, "utf8")), "SIGKILL");
  }
  await admiral.stop();
});

const button = (name) => page.getByRole("button", { name, exact: true });
const link = (name) => page.getByRole("link", { name, exact: true });
const field = (label) => page.getByLabel(label, { exact: true });
const inDialog = (label) => page.getByRole("dialog").getByLabel(label, { exact: true });
const dialogButton = (name) => page.getByRole("dialog").getByRole("button", { name, exact: true });
const visible = (locator) => locator.first().waitFor({ state: "visible" });
const place = (name) =>
  page.getByRole("navigation", { name: "Main" }).getByRole("link", { name, exact: true });

/** Goes through the three steps; `variables` are given as name → value, `choose` chooses more. */
async function launch(playbook, variables = {}, choose = async () => {}) {
  await place("Deployments").click();
  await button("New deployment").first().click();
  await field("Playbook").selectOption(playbook);
  for (const [index, [name, value]] of Object.entries(variables).entries()) {
    await button("Add variable").click();
    await field(`Name of variable ${index + 1}`).fill(name);
    await field(`Value of ${name}`).fill(value);
  }
  await choose();
  await button("Next").click();
  await button("Select all 2").click();
  await button("Next").click();
  const hit = page.getByRole("list", { name: "Servers that are hit" }).getByRole("listitem");
  await visible(hit);
  assert.deepEqual(await hit.allInnerTexts(), ["web1", "web2"]);
  await button("Deploy").click();
  await page.waitForURL(/\/deployments\/\d+$/);
}

const hostRow = (host) => page.getByRole("row").filter({ has: page.getByText(host, { exact: true }) });
const status = (host, word) => hostRow(host).getByRole("cell").getByText(word, { exact: true });

test("the set-up link makes the first admin, who can sign out and in again", async () => {
  await page.goto(admiral.setupUrl);
  await field("Username").fill("ada");
  await field("Password").fill("a long enough password");
  await button("Create administrator").click();
  await visible(button("New deployment"));

  await page.getByRole("button", { name: /ada/ }).click();
  await page.getByRole("menuitem", { name: "Sign out", exact: true }).click();
  await visible(button("Sign in"));
  await field("Username").fill("ada");
  await field("Password").fill("not the password");
  await button("Sign in").click();
  await visible(page.getByRole("alert").getByText("Not signed in"));
  await field("Password").fill("a long enough password");
  await button("Sign in").click();
  await visible(button("New deployment"));
});

test("a key is added and another generated", async () => {
  await place("Keys").click();
  const file = path.join(admiral.folder, "own_key");
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "own", "-f", file]);
  admiral.authorize(fs.readFileSync(`${file}.pub`, "utf8"));
  await button("Add key").first().click();
  await inDialog("Name").fill("own");
  await inDialog("Private key").fill(fs.readFileSync(file, "utf8"));
  await dialogButton("Add key").click();
  await visible(hostRow("own").filter({ hasText: "SHA256:" }));

  await button("Generate key").first().click();
  await inDialog("Name").fill("made");
  await dialogButton("Generate").click();
  const publicKey = await page
    .getByRole("dialog")
    .getByText(/^ssh-ed25519 /)
    .innerText();
  admiral.authorize(publicKey);
  await dialogButton("Done").click();
  await visible(hostRow("made").filter({ hasText: "SHA256:" }));
  assert.ok(!(await page.content()).includes("PRIVATE KEY"), "the private part is never shown again");
});

/** The wrong fields of the open form, by what the label says. */
async function wrongFields() {
  const wrong = page.getByRole("dialog").locator("[aria-invalid=true]");
  await visible(wrong);
  return wrong.evaluateAll((fields) => fields.map((input) => input.labels[0].innerText));
}

test("servers are added, and a bad field is named", async () => {
  await place("Servers").click();
  for (const [n, key] of [
    ["1", "own"],
    ["2", "made"],
  ]) {
    await button("Add server").first().click();
    await inDialog("Hostname").fill(`web${n}`);
    await inDialog("SSH host").fill(`127.0.2.${n}`);
    await inDialog("SSH port").fill(String(admiral.sshPort));
    await inDialog("SSH user").fill(admiral.sshUser);
    await inDialog("Private key").selectOption({ label: `${key} (ssh-ed25519)` });
    await inDialog("Tags").fill("web");
    await inDialog("Host variables").fill(JSON.stringify(admiral.variables));
    if (n === "1") {
      // The console itself refuses the first, the API the second.
      await inDialog("Hostname").fill("web 1");
      await dialogButton("Add server").click();
      assert.deepEqual(await wrongFields(), ["Hostname"]);
      await inDialog("Hostname").fill("web1");
      await inDialog("SSH host").fill("127.0.2.1000");
      await dialogButton("Add server").click();
      await visible(page.getByRole("dialog").getByRole("alert"));
      assert.deepEqual(await wrongFields(), ["SSH host"]);
      await inDialog("SSH host").fill("127.0.2.1");
    }
    await dialogButton("Add server").click();
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    await visible(hostRow(`web${n}`));
  }
});

test("a playbook is read before it is chosen", async () => {
  await place("Deployments").click();
  await button("New deployment").first().click();
  await field("Playbook").selectOption("project/work/site.yml");
  await button("View playbook").click();
  await visible(page.getByRole("dialog").getByText("- name: Take a moment"));
  await dialogButton("Close").click();
  await page.getByRole("dialog").waitFor({ state: "hidden" });
});

test("hosts go green without a reload", async () => {
  await launch("project/work/site.yml");
  await page.evaluate(() => {
    window.neverReloaded = true;
  });
  await visible(status("web1", "running"));
  await visible(status("web1", "success"));
  await visible(status("web2", "success"));
  await visible(page.getByText("completed", { exact: true }));
  assert.equal(await page.evaluate(() => window.neverReloaded), true);
  await page.getByRole("tab", { name: "Log", exact: true }).click();
  await visible(page.getByText(/^PLAY RECAP/));
});

test("a failed task opens to its result", async () => {
  await launch("project/work/site.yml", { broken: "web2" });
  await visible(status("web2", "failed"));
  await visible(page.getByText("1 of 2 hosts failed"));
  await hostRow("web2").click();
  const tasks = page.getByRole("dialog", { name: "web2" }).getByRole("list", { name: "Tasks" });
  await visible(tasks.getByText("Check the disk", { exact: true }));
  await visible(tasks.getByText(/No such file or directory/));
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
});

test("two slices share the servers, and their hosts are told apart", async () => {
  await launch("project/sliced/site.yml", {}, async () => {
    await page.getByText("Advanced options", { exact: true }).click();
    await field("Slices").fill("101");
    await button("Next").click();
    await visible(page.getByText("Slices is a whole number from 1 to 100."));
    await field("Slices").fill("2");
    await field("Accelerator").selectOption("mitogen");
    await field("Priority").fill("5");
  });
  await visible(page.getByText("completed", { exact: true }));
  await visible(page.getByText(/· 2 slices · with mitogen · priority 5/));
  const row = (host, slice) => hostRow(host).filter({ has: page.getByText(slice, { exact: true }) });
  await visible(row("web1", "1"));
  await visible(row("web2", "2"));
  assert.equal(await hostRow("localhost").count(), 2);

  await page.getByLabel("Slice", { exact: true }).selectOption({ label: "slice 2" });
  await hostRow("web1").waitFor({ state: "detached" });
  assert.equal(await hostRow("localhost").count(), 1);
  await hostRow("localhost").click();
  const panel = page.getByRole("dialog", { name: "localhost" });
  await visible(panel.getByText("slice 2", { exact: true }));
  await panel.getByRole("button", { name: /Say who is here/ }).click();
  await visible(panel.getByText(/this slice has web2/));
  assert.equal(await panel.getByText(/this slice has web1/).count(), 0);
  await page.keyboard.press("Escape");
  await panel.waitFor({ state: "hidden" });

  await page.getByRole("tab", { name: "Details", exact: true }).click();
  await visible(page.getByText("Slice 1 began.", { exact: true }));
  await visible(page.getByText("Slice 2 began.", { exact: true }));
  await visible(page.getByText(/^Slice \d ended: completed\.$/));
  const runs = page.getByRole("region", { name: "Runs" }).getByRole("row");
  await visible(runs);
  assert.equal(await runs.count(), 3);
});

test("a deployment says whom it waits for", async () => {
  await launch("project/hold/site.yml");
  await visible(status("web1", "running"));
  const holder = new URL(page.url()).pathname;
  await launch("project/work/site.yml");
  const waiting = new URL(page.url()).pathname;
  const other = page.getByRole("link", { name: `#${holder.split("/").at(-1)} Hold`, exact: true });
  await visible(other);
  await visible(page.getByText(/waiting for/));
  await other.click();
  await page.waitForURL(new RegExp(`${holder}$`));
  fs.writeFileSync(path.join(admiral.folder, "go"), "");
  await visible(page.getByText("completed", { exact: true }));
  await page.goto(admiral.url + waiting);
  await visible(page.getByText("completed", { exact: true }));
});

test("a running deployment is cancelled", async () => {
  await launch("project/long/site.yml");
  await visible(status("web1", "running"));
  await button("Cancel deployment").click();
  await dialogButton("Cancel deployment").click();
  await visible(status("web1", "cancelled"));
  await visible(status("web2", "cancelled"));
  await visible(link("Relaunch"));
});

test("the pages raised no error", () => {
  assert.deepEqual(problems, []);
  assert.deepEqual([...refusals].sort(), ["POST /api/servers: 422", "POST /api/session: 401"]);
});
