// What people do with playbooks of their own, in a real browser against the real program.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { startEverything, until } from "./harness.js";

const SITE = `# Leaves a greeting on every server.
#
# admiral:
#   name: Greet
#   category: Demonstration
- name: Greet
  hosts: all
  gather_facts: false
  roles:
    - greet
  tasks:
    - name: Install the agent
      ansible.builtin.shell: curl https://agent.example.net/install.sh | sh
      tags: [never, agent]
`;
const FORM = `fields:
  - name: greeting
    type: text
    label: What to say
    required: true
    pattern: '[A-Z].*'
  - name: loud
    type: boolean
    label: Loud
    default: false
  - name: times
    type: number
    label: How often
    default: 1
    min: 1
    max: 3
    shown_when: {field: loud, equals: true}
  - name: password
    type: secret
    label: Password
    required: true
`;
const tasks = (folder) => `- name: Leave the greeting
  ansible.builtin.copy:
    content: "{{ greeting }}{{ '!' * (times | default(0) | int) }} from the first version"
    dest: "${folder}/{{ inventory_hostname }}.txt"
- name: Use the password
  ansible.builtin.command: "true"
  environment:
    PASSWORD: "{{ password }}"
  changed_when: false
`;
const README = "How to greet.\n";
const TASKS_PATH = "roles/greet/tasks/main.yml";
const AT = "/playbooks/custom/greeting/site.yml";
const SECRET = "only-ada-knows-this";

const patience = 120_000;
let admiral;
let ada;
let bob;
const problems = [];
const refusals = new Set();

/** A browser of its own for somebody who is signed in. */
async function person(username, password) {
  const context = await admiral.browser.newContext({ viewport: { width: 1400, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      problems.push(message.text());
  });
  page.on("requestfailed", (request) => {
    if (request.failure().errorText !== "net::ERR_ABORTED") problems.push(`${request.url()} failed`);
  });
  page.on("response", (response) => {
    if (response.status() < 400) return;
    const where = new URL(response.url()).pathname.replace(/[0-9a-f-]{36}/g, "ID");
    refusals.add(`${response.request().method()} ${where}: ${response.status()}`);
  });
  const call = async (method, address, data) => {
    const answer = await page.request.fetch(admiral.url + address, {
      method,
      data,
      headers: { Origin: admiral.url },
    });
    assert.ok(answer.ok(), `${method} ${address}: ${answer.status()} ${await answer.text()}`);
    return answer.json();
  };
  const named = (role) => (name) => page.getByRole(role, { name, exact: true });
  return {
    page,
    call,
    signIn: () => call("POST", "/api/session", { username, password }),
    button: named("button"),
    link: named("link"),
    tab: named("tab"),
    heading: (name) => page.getByRole("heading", { name }),
    field: (label) => page.getByLabel(label, { exact: true }),
    dialog: (name) => page.getByRole("dialog", name === undefined ? {} : { name }),
    place: (name) => page.getByRole("navigation", { name: "Main" }).getByRole("link", { name, exact: true }),
    open: (address) => page.goto(admiral.url + address),
  };
}

const visible = (locator) => locator.first().waitFor({ state: "visible" });
const package_ = async () => {
  const { data } = await ada.call("GET", "/api/packages");
  return data.find((one) => one.name === "greeting");
};
/** What is in a file of a version; of today's without a number. */
async function textOf(file, number) {
  const { id, current_version } = await package_();
  const { data } = await ada.call("GET", `/api/packages/${id}/versions`);
  const version = number === undefined ? current_version : data.find((one) => one.number === number);
  const query = new URLSearchParams({ path: file });
  return (await ada.call("GET", `/api/packages/${id}/versions/${version.id}/file?${query}`)).content;
}
const greetingOn = (host) => fs.readFileSync(path.join(admiral.folder, `${host}.txt`), "utf8");

/** Drops a file onto the page, as somebody who drags it there does. */
async function drop({ page }, file) {
  const transfer = await page.evaluateHandle(
    ({ name, content }) => {
      const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
      const made = new DataTransfer();
      made.items.add(new File([bytes], name));
      return made;
    },
    { name: path.basename(file), content: fs.readFileSync(file).toString("base64") },
  );
  const main = page.locator("#main");
  await main.dispatchEvent("dragenter", { dataTransfer: transfer });
  await visible(page.getByText(/Drop a .yml/));
  await main.dispatchEvent("dragover", { dataTransfer: transfer });
  await main.dispatchEvent("drop", { dataTransfer: transfer });
}

/** Opens a file of the package for editing. */
async function edit({ page, open, button, field }, file) {
  await open(`${AT}?tab=files&file=${encodeURIComponent(file)}`);
  await button("Edit").click();
  await visible(button("Stop editing"));
  await visible(field(file));
}

/** Replaces the line that holds `old`, in the file that is open. */
async function replaceLine({ page, field }, file, old, text) {
  await field(file).getByText(old).first().click();
  await page.keyboard.press("Home");
  await page.keyboard.press("Home");
  await page.keyboard.press("Shift+End");
  await page.keyboard.insertText(text);
}

/** Fills in the rest of the launch and starts it; the form's fields come first. */
async function deploy(somebody, { accept }) {
  const { page, button, heading } = somebody;
  await button("Next").click();
  await button("Select all 2").click();
  await button("Next").click();
  await visible(heading("Variables"));
  const box = page.getByLabel(/I have read these findings|I have looked at this version/);
  if (accept) {
    await visible(box);
    assert.ok(await button("Deploy").isDisabled());
    await box.click();
  } else {
    await visible(page.getByRole("table", { name: "Variables" }));
    assert.equal(await box.count(), 0);
  }
  await button("Deploy").click();
  await page.waitForURL(/\/deployments\/\d+$/);
  await visible(page.getByText("completed", { exact: true }));
}

before(async () => {
  admiral = await startEverything();
  ada = await person("ada", "a long enough password");
  const token = new URL(admiral.setupUrl).searchParams.get("token");
  await ada.call("POST", "/api/setup", { token, username: "ada", password: "a long enough password" });
  const key = await ada.call("POST", "/api/keys/generate", { name: "fleet" });
  admiral.authorize(key.public_key);
  for (const n of ["1", "2"])
    await ada.call("POST", "/api/servers", {
      hostname: `web${n}`,
      ssh_host: `127.0.4.${n}`,
      ssh_port: admiral.sshPort,
      ssh_username: admiral.sshUser,
      private_key_id: key.id,
      metadata: admiral.variables,
    });
  await ada.call("POST", "/api/users", {
    username: "bob",
    role: "operator",
    password: "another long password",
  });
  bob = await person("bob", "another long password");
  await bob.signIn();

  const source = path.join(admiral.folder, "greeting");
  fs.mkdirSync(path.join(source, "roles/greet/tasks"), { recursive: true });
  fs.writeFileSync(path.join(source, "site.yml"), SITE);
  fs.writeFileSync(path.join(source, "site.form.yml"), FORM);
  fs.writeFileSync(path.join(source, "README.md"), README);
  fs.writeFileSync(path.join(source, TASKS_PATH), tasks(admiral.folder));
  execFileSync("tar", ["-czf", `${source}.tar.gz`, "-C", admiral.folder, "greeting"]);
});

after(async () => {
  await admiral?.stop();
});

test("a file dropped into the folder shows by itself, and one that breaks says why", async () => {
  await ada.open("/playbooks");
  await visible(ada.page.getByText("builtin").or(ada.page.getByText("ping.yml")));
  admiral.addPlaybook("nightly", "# Nightly upkeep.\n- hosts: all\n  tasks: []\n");
  await visible(ada.page.getByText("Nightly upkeep."));
  admiral.addPlaybook("nightly", "# Nightly upkeep.\n- hosts: [all\n");
  const row = ada.page.getByRole("listitem").filter({ hasText: "nightly/site.yml" });
  await visible(row.locator(".text-failed"));
});

test("a package is uploaded, and what it may do is told", async () => {
  await ada.open("/playbooks");
  await visible(ada.button("Upload"));
  await drop(ada, path.join(admiral.folder, "greeting.tar.gz"));
  const dialog = ada.dialog("Upload greeting.tar.gz");
  await visible(dialog.getByLabel("Name", { exact: true }));
  assert.equal(await dialog.getByLabel("Name", { exact: true }).inputValue(), "greeting");
  assert.ok(await dialog.getByLabel("site.yml").isChecked(), "the only playbook is chosen");
  await visible(dialog.getByRole("list", { name: "Findings" }).getByText(/site\.yml:\d+/));
  await dialog.getByRole("button", { name: "Upload", exact: true }).click();

  await ada.page.waitForURL(/\/playbooks\/custom\/greeting\/site\.yml\?tab=findings/);
  await visible(ada.page.getByText(/Nobody has accepted this version yet/));
  await ada.page
    .getByRole("link", { name: /^site\.yml:\d+/ })
    .first()
    .click();
  await visible(ada.field("site.yml"));
  await visible(ada.field("site.yml").getByText(/install\.sh/));
});

test("the form is filled in, and the first run accepts the findings", async () => {
  await ada.link("Launch").click();
  await ada.field("What to say").fill("hello");
  await ada.button("Next").click();
  await visible(ada.page.getByText("What to say must match [A-Z].*"));
  await visible(ada.page.getByText("Password is required"));
  assert.equal(await ada.field("How often").count(), 0);
  await ada.field("Loud").selectOption("Yes");
  await ada.field("How often").fill("2");
  await ada.field("What to say").fill("Hello");
  await ada.field("Password").fill(SECRET);
  await deploy(ada, { accept: true });
  assert.equal(greetingOn("web1"), "Hello!! from the first version");
  assert.equal(greetingOn("web2"), "Hello!! from the first version");

  await ada.tab("Details").click();
  await visible(ada.page.getByText("the same files as today's"));
  await visible(ada.page.getByText("by ada", { exact: false }));
  assert.ok(!(await ada.page.content()).includes(SECRET), "a secret is never shown");
});

test("a line is edited, checked while it is typed, and its version compared", async () => {
  await edit(ada, TASKS_PATH);
  await replaceLine(ada, TASKS_PATH, "first version", '    content: "{{ greeting }} [');
  const findings = ada.page.getByRole("region", { name: "Findings" });
  await visible(
    findings
      .getByRole("listitem")
      .filter({ hasText: `${TASKS_PATH}:` })
      .getByText("Error"),
  );
  await replaceLine(
    ada,
    TASKS_PATH,
    "{{ greeting }} [",
    '    content: "{{ greeting }} from the second version"',
  );
  await findings.getByText("Error", { exact: true }).waitFor({ state: "detached" });

  await ada.place("Servers").click();
  await visible(ada.dialog("Leave without saving?"));
  await ada.button("Keep editing").click();
  await ada.dialog().waitFor({ state: "hidden" });
  await ada.button("Save…").click();
  await ada.field("Comment").fill("Say which version it is");
  await ada.button("Save version").click();
  await visible(ada.page.getByText("Saved as version 2"));
  await ada.link("See what changed").click();
  const changes = ada.page.getByRole("region", { name: `Changes of ${TASKS_PATH}` });
  const line = (kind) => changes.getByRole("row").filter({ has: ada.page.getByText(kind, { exact: true }) });
  await visible(line("added"));
  assert.match(await line("removed").innerText(), /from the first version/);
  assert.match(await line("added").innerText(), /from the second version/);

  await ada.open("/deployments/1?tab=details");
  await visible(ada.page.getByText(/differs from today's/));
  await ada.page.getByRole("link", { name: "what changed up to version 2" }).click();
  await visible(line("added"));
});

test("an old version comes back, and an old version is run", async () => {
  await ada.open(`${AT}?tab=versions`);
  await ada.button("Roll back to version 1").click();
  const dialog = ada.dialog("Roll greeting back to version 1?");
  await visible(dialog.getByText(TASKS_PATH, { exact: false }));
  await dialog.getByRole("button", { name: "Roll back to version 1", exact: true }).click();
  await dialog.waitFor({ state: "hidden" });
  const row = ada.page.getByRole("row").filter({ has: ada.link("version 3") });
  await visible(row.getByText("today's"));
  await visible(row.getByText("(rolled back to version 1)"));
  assert.equal(await textOf(TASKS_PATH), await textOf(TASKS_PATH, 1));

  await ada.link("Run version 2").click();
  await visible(ada.field("What to say"));
  assert.match(
    await ada.field("Version").evaluate((select) => select.selectedOptions[0].text),
    /^version 2 by ada/,
  );
  await ada.field("What to say").fill("Again");
  await ada.field("Password").fill(SECRET);
  await deploy(ada, { accept: true });
  assert.equal(greetingOn("web1"), "Again from the second version");
  await ada.tab("Details").click();
  await visible(ada.page.getByText(/differs from today's/));
  await visible(ada.link("Run again with this version"));
  await visible(ada.link("…with today's"));
});

test("two people edit one playbook, and nothing is lost", async () => {
  const before = (await package_()).current_version.number;
  // Different files: both changes are in the newest version.
  await edit(ada, "README.md");
  await edit(bob, TASKS_PATH);
  await replaceLine(ada, "README.md", "How to greet.", "How to greet, by Ada.");
  await replaceLine(bob, TASKS_PATH, "first version", '    content: "{{ greeting }} from Bob"');
  await ada.button("Save…").click();
  await ada.button("Save version").click();
  await visible(ada.page.getByText(`Saved as version ${before + 1}`));

  await visible(bob.page.getByText(`ada saved version ${before + 1} while you are editing`));
  await bob.button("Save…").click();
  await bob.field("Comment").fill("Bob's greeting");
  await bob.button("Save version").click();
  const told = bob.dialog(`ada saved version ${before + 1} in between`);
  await visible(told.getByText("How to greet, by Ada."));
  await visible(told.getByText(/They changed other files than you/));
  await told.getByRole("button", { name: "Save mine on top…" }).click();
  await bob.button("Save version").click();
  await visible(bob.page.getByText(`Saved as version ${before + 2}`));
  assert.match(await textOf("README.md"), /by Ada/);
  assert.match(await textOf(TASKS_PATH), /from Bob/);

  // The same file: the second one is told, keeps what was typed, and the first one's version stays.
  await edit(ada, TASKS_PATH);
  await edit(bob, TASKS_PATH);
  await replaceLine(ada, TASKS_PATH, "from Bob", '    content: "{{ greeting }} from Ada"');
  await replaceLine(bob, TASKS_PATH, "from Bob", '    content: "{{ greeting }} from Robert"');
  await ada.button("Save…").click();
  await ada.button("Save version").click();
  await visible(ada.page.getByText(`Saved as version ${before + 3}`));
  await bob.button("Save…").click();
  await bob.button("Save version").click();
  const again = bob.dialog(`ada saved version ${before + 3} in between`);
  await visible(again.getByText("Both of you changed one file"));
  await again.getByRole("button", { name: "Keep editing", exact: true }).click();
  await visible(bob.field(TASKS_PATH).getByText("from Robert"));
  await bob.button("See and decide").click();
  await again.getByRole("button", { name: "Save mine on top…" }).click();
  await bob.button("Save version").click();
  await visible(bob.page.getByText(`Saved as version ${before + 4}`));
  assert.match(await textOf(TASKS_PATH), /from Robert/);
  assert.match(await textOf(TASKS_PATH, before + 3), /from Ada/);

  // Taking theirs leaves no version behind.
  await edit(ada, "README.md");
  await edit(bob, "README.md");
  await replaceLine(ada, "README.md", "by Ada", "By Ada, twice.");
  await replaceLine(bob, "README.md", "by Ada", "By Bob.");
  await ada.button("Save…").click();
  await ada.button("Save version").click();
  await visible(ada.page.getByText(`Saved as version ${before + 5}`));
  await bob.button("See and decide").click();
  await bob.button("Take theirs, discard mine").click();
  await visible(bob.field("README.md").getByText("By Ada, twice."));
  assert.equal((await package_()).current_version.number, before + 5);
});

test("an outage while editing leaves what was typed", async () => {
  const before = (await package_()).current_version.number;
  await edit(ada, "README.md");
  await replaceLine(ada, "README.md", "By Ada, twice.", "Typed before the outage.");
  let asked = 0;
  await ada.page.route("**/api/**", (route) => {
    if (new URL(route.request().url()).pathname === "/api/playbooks") asked += 1;
    return route.abort("aborted");
  });
  // The library is asked for three times before it is given up.
  await until("the library was given up", () => asked > 3);
  await visible(ada.page.getByText("Connection lost, reconnecting…"));
  await visible(ada.field("README.md").getByText("Typed before the outage."));
  await ada.page.unroute("**/api/**");
  await ada.button("Save…").click();
  await ada.button("Save version").click();
  await visible(ada.page.getByText(`Saved as version ${before + 1}`));
  assert.match(await textOf("README.md"), /^Typed before the outage\./);
});

test("one command runs on all servers", async () => {
  await ada.open("/deployments");
  await ada.link("Run a command").click();
  await ada.field("Module").fill("shell");
  await ada.field("Arguments").fill(`echo by hand > ${admiral.folder}/$(hostname)-adhoc.txt`);
  await ada.button("Next").click();
  await ada.button("Select all 2").click();
  await ada.button("Next").click();
  await ada.button("Deploy").click();
  await ada.page.waitForURL(/\/deployments\/\d+$/);
  await visible(ada.page.getByText("completed", { exact: true }));
  assert.ok(fs.readdirSync(admiral.folder).some((name) => name.endsWith("-adhoc.txt")));
  await ada.tab("Details").click();
  await visible(ada.page.getByText("shell", { exact: true }));
});

test("the pages raised no error", () => {
  assert.deepEqual(problems, []);
  assert.deepEqual([...refusals].sort(), ["POST /api/packages/ID/versions: 409"]);
});
