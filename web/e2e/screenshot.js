// Makes the picture of the console that the README shows: the deployment page of a real run on real SSH hosts.
// Usage: node web/e2e/screenshot.js OUTPUT.png
import fs from "node:fs";
import path from "node:path";
import { root, startEverything, until } from "./harness.js";

const output = process.argv[2] ?? path.join(root, "docs/console.png");
const names = ["web1", "web2", "web3", "web4", "db1", "db2", "cache1", "edge1"];
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
      ansible.builtin.command: "{{ 'grep -q streaming /etc/hostname' if inventory_hostname == 'db2' else 'true' }}"
      changed_when: false
    - name: Restart the service
      ansible.builtin.command: sleep {{ 0 if inventory_hostname in ['db1', 'edge1'] else 30 }}
`,
  );
  const context = await admiral.browser.newContext({ viewport: { width: 1280, height: 720 }, deviceScaleFactor: 2 });
  const page = await context.newPage();
  const token = new URL(admiral.setupUrl).searchParams.get("token");
  const call = async (address, body) => {
    const answer = await page.request.post(admiral.url + address, { data: body, headers: { Origin: admiral.url } });
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
      ssh_port: admiral.sshPort,
      ssh_username: admiral.sshUser,
      private_key_id: key.id,
      tags: [hostname.replace(/\d+$/, "")],
    });
  }
  const deployment = await call("/api/deployments", {
    name: "Bring the site up to date",
    playbook: "custom/site/site.yml",
    all: true,
  });
  await page.goto(`${admiral.url}/deployments/${deployment.id}`);
  await until("the run in its last task", async () => {
    const answer = await page.request.get(`${admiral.url}/api/deployments/${deployment.id}/servers`);
    const rows = (await answer.json()).data;
    return rows.some((row) => row.current_task === "Restart the service") && rows.some((row) => row.failed > 0);
  });
  await page.getByRole("row").filter({ hasText: "db2" }).getByText("failed").waitFor();
  fs.mkdirSync(path.dirname(output), { recursive: true });
  await page.screenshot({ path: output });
  await page.request.post(`${admiral.url}/api/deployments/${deployment.id}/cancel`, {
    data: { force: true },
    headers: { Origin: admiral.url },
  });
  await until("the end", async () => {
    const answer = await page.request.get(`${admiral.url}/api/deployments/${deployment.id}`);
    return (await answer.json()).finished_at;
  });
  console.log(`wrote ${output}`);
} finally {
  await admiral.stop();
}
