// Makes the picture of the console that the README shows: the deployment page of a real run on real SSH hosts.
// Usage: node web/e2e/screenshot.js OUTPUT.png
import fs from "node:fs";
import path from "node:path";
import { root, startEverything } from "./harness.js";

const output = process.argv[2] ?? path.join(root, "docs/console.png");
const names = "web1 web2 web3 web4 web5 db1 db2 cache1 cache2 mail1 edge1".split(" ");
/** Nothing answers there, so `edge1` is unreachable. */
const closedPort = 1;
const admiral = await startEverything();
try {
  admiral.addPlaybook(
    "site",
    `# Brings the site up to date.
- name: Bring the site up to date
  hosts: all
  gather_facts: false
  tasks:
    - name: Look at the machine
      ansible.builtin.command: uname -r
      changed_when: false
    - name: Write the configuration
      ansible.builtin.copy:
        content: "{{ inventory_hostname }}\\n"
        dest: "${admiral.folder}/{{ inventory_hostname }}.conf"
      when: not inventory_hostname.startswith('cache')
    - name: Check the replication
      ansible.builtin.fail:
        msg: replication is 312 seconds behind db1
      when: inventory_hostname == 'db2'
    - name: Restart the service
      ansible.builtin.command: sleep 1
      when: not inventory_hostname.startswith('cache')
`,
  );
  const context = await admiral.browser.newContext({
    viewport: { width: 1280, height: 800 },
    deviceScaleFactor: 2,
  });
  const page = await context.newPage();
  const token = new URL(admiral.setupUrl).searchParams.get("token");
  const call = async (address, body) => {
    const answer = await page.request.post(admiral.url + address, {
      data: body,
      headers: { Origin: admiral.url },
    });
    if (!answer.ok()) throw new Error(`${address}: ${answer.status()} ${await answer.text()}`);
    return answer.json();
  };
  await call("/api/setup", { token, username: "admin", password: "only for this picture" });
  const key = await call("/api/keys/generate", { name: "fleet" });
  admiral.authorize(key.public_key);
  for (const [index, hostname] of names.entries()) {
    await call("/api/servers", {
      hostname,
      ssh_host: `127.0.3.${index + 1}`,
      ssh_port: hostname === "edge1" ? closedPort : admiral.sshPort,
      ssh_username: admiral.sshUser,
      private_key_id: key.id,
      metadata: admiral.variables,
      tags: [hostname.replace(/\d+$/, "")],
    });
  }
  const deployment = await call("/api/deployments", {
    name: "Bring the site up to date",
    playbook: "project/site/site.yml",
    all: true,
  });
  await page.goto(`${admiral.url}/deployments/${deployment.id}`);
  await page.getByText("1 of 11 hosts failed, 1 unreachable").waitFor();
  await page.getByRole("row").filter({ hasText: "web1" }).getByText("success").waitFor();
  fs.mkdirSync(path.dirname(output), { recursive: true });
  await page.screenshot({ path: output });
  console.log(`wrote ${output}`);
} finally {
  await admiral.stop();
}
