// The real program, real SSH hosts and a real Chromium, for the flows in this folder.
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const patience = 120_000;

/** A port that was free a moment ago. */
async function freePort() {
  const server = net.createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** Waits until `probe` gives something truthy, and returns it. */
export async function until(what, probe) {
  const deadline = Date.now() + patience;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`still waiting: ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

/** Ends a child process and waits for it. */
async function end(child, signal = "SIGTERM") {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((done) => child.once("exit", done));
  child.kill(signal);
  await gone;
}

/** One `sshd` that answers on every loopback address. */
async function startSshd(folder) {
  const port = await freePort();
  const keyFile = path.join(folder, "host_key");
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", keyFile]);
  const authorizedKeys = path.join(folder, "authorized_keys");
  fs.writeFileSync(authorizedKeys, "");
  fs.writeFileSync(
    path.join(folder, "sshd_config"),
    [
      `ListenAddress 0.0.0.0:${port}`,
      `HostKey ${keyFile}`,
      "PidFile none",
      `AuthorizedKeysFile ${authorizedKeys}`,
      "StrictModes no",
      "UsePAM no",
      "PasswordAuthentication no",
      "PermitRootLogin yes",
      "MaxStartups 100",
      "Subsystem sftp internal-sftp",
    ].join("\n") + "\n",
  );
  fs.mkdirSync("/run/sshd", { recursive: true });
  const log = fs.openSync(path.join(folder, "sshd.log"), "a");
  const child = spawn("/usr/sbin/sshd", ["-D", "-e", "-f", path.join(folder, "sshd_config")], {
    stdio: ["ignore", "ignore", log],
  });
  return { child, port, authorize: (line) => fs.appendFileSync(authorizedKeys, `${line.trim()}\n`) };
}

/** Admiral on its embedded PostgreSQL, SSH hosts and a browser; `stop()` ends them all. */
export async function startEverything() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "admiral-e2e-"));
  fs.chmodSync(folder, 0o711);
  const playbooks = path.join(folder, "playbooks");
  fs.mkdirSync(playbooks);
  const sshd = await startSshd(folder);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const logFile = path.join(folder, "server.log");
  const log = fs.openSync(logFile, "a");
  const binary = process.env.ADMIRAL_BIN ?? path.join(root, "target/debug/admiral");
  const environment = { ...process.env, ADMIRAL_DATA_DIR: path.join(folder, "data") };
  delete environment.DATABASE_URL;
  const server = spawn(binary, ["serve", "--listen", `127.0.0.1:${port}`, "--playbooks", playbooks], {
    stdio: ["ignore", log, log],
    env: environment,
  });
  const linkFile = path.join(folder, "data/first-account-link");
  const setupPath = await until("the set-up link", () => {
    if (server.exitCode !== null) throw new Error(fs.readFileSync(logFile, "utf8"));
    if (!fs.existsSync(linkFile)) return undefined;
    return fs.readFileSync(linkFile, "utf8").match(/(\/setup\?token=[\w-]+)\n/)?.[1];
  });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  return {
    url,
    setupUrl: url + setupPath,
    folder,
    browser,
    sshPort: sshd.port,
    sshUser: os.userInfo().username,
    /** Host variables of every server: what a login shell puts into the path is of no concern here. */
    variables: { ansible_python_interpreter: "/usr/bin/python3" },
    authorize: sshd.authorize,
    /** Puts a playbook into the library. */
    addPlaybook(name, content) {
      fs.mkdirSync(path.join(playbooks, name), { recursive: true });
      fs.writeFileSync(path.join(playbooks, name, "site.yml"), content);
    },
    log: () => fs.readFileSync(logFile, "utf8"),
    async stop() {
      await browser.close();
      await end(server);
      await end(sshd.child);
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}
