// Your account: the password, and the browsers that are signed in.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startEverything } from "./harness.js";

const patience = 120_000;
const PASSWORD = "a long enough password";
const NEW_PASSWORD = "another long password";
let admiral;
const problems = [];

/** A browser of its own, with its own cookies. */
async function openBrowser() {
  const context = await admiral.browser.newContext({ viewport: { width: 1400, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  page.on("pageerror", (error) => problems.push(String(error)));
  return page;
}

before(async () => {
  admiral = await startEverything();
});

after(() => admiral.stop());

const button = (page, name) => page.getByRole("button", { name, exact: true });
const field = (page, label) => page.getByLabel(label, { exact: true });
const visible = (locator) => locator.first().waitFor({ state: "visible" });
const sessionRows = (page) =>
  page.getByRole("table", { name: "Sessions" }).getByRole("row").filter({ hasText: "Chrome" });

async function signIn(page, password) {
  await page.goto(`${admiral.url}/sign-in`);
  await field(page, "Username").fill("ada");
  await field(page, "Password").fill(password);
  await button(page, "Sign in").click();
  await visible(button(page, "New deployment"));
}

async function openAccount(page) {
  await page.getByRole("button", { name: /ada/ }).click();
  await page.getByRole("menuitem", { name: "Your account", exact: true }).click();
  await visible(page.getByRole("heading", { name: "Your account" }));
}

/** Waits until the page has noticed by itself: its stream has ended, and it cannot open another. */
const signedOut = (page) => visible(button(page, "Sign in"));

test("a session is ended from another browser, and a new password ends all others", async () => {
  const mine = await openBrowser();
  await mine.goto(admiral.setupUrl);
  await field(mine, "Username").fill("ada");
  await field(mine, "Password").fill(PASSWORD);
  await button(mine, "Create administrator").click();
  await visible(button(mine, "New deployment"));

  const other = await openBrowser();
  await signIn(other, PASSWORD);
  await openAccount(mine);
  await sessionRows(mine).nth(1).waitFor({ state: "visible" });
  assert.equal(await sessionRows(mine).filter({ hasText: "this session" }).count(), 1);
  await sessionRows(mine).getByRole("button").click();
  await signedOut(other);
  await sessionRows(mine).nth(1).waitFor({ state: "hidden" });

  await signIn(other, PASSWORD);
  await field(mine, "Current password").fill("not the password");
  await field(mine, "New password").fill(NEW_PASSWORD);
  await button(mine, "Change password").click();
  await visible(mine.getByText("is not your current password").first());
  assert.equal(await field(mine, "Current password").getAttribute("aria-invalid"), "true");
  await field(mine, "Current password").fill(PASSWORD);
  await button(mine, "Change password").click();
  await visible(mine.getByText("1 other session ended, 0 API tokens revoked."));
  await signedOut(other);

  await field(other, "Username").fill("ada");
  await field(other, "Password").fill(PASSWORD);
  await button(other, "Sign in").click();
  await visible(other.getByRole("alert").getByText("Not signed in"));
  await field(other, "Password").fill(NEW_PASSWORD);
  await button(other, "Sign in").click();
  await visible(button(other, "New deployment"));
});

test("an administrator ends the sessions of somebody else", async () => {
  const admin = await openBrowser();
  await signIn(admin, NEW_PASSWORD);
  const origin = { Origin: admiral.url };
  const added = await admin.request.post(`${admiral.url}/api/users`, {
    data: { username: "eve", role: "viewer", password: PASSWORD },
    headers: origin,
  });
  assert.equal(added.status(), 201);
  const eve = await openBrowser();
  await eve.goto(`${admiral.url}/sign-in`);
  await field(eve, "Username").fill("eve");
  await field(eve, "Password").fill(PASSWORD);
  await button(eve, "Sign in").click();
  await visible(eve.getByRole("heading", { name: "Deployments" }));

  await admin.goto(`${admiral.url}/settings`);
  await button(admin, "Sessions of eve").click();
  const dialog = admin.getByRole("dialog", { name: "Sessions of eve" });
  await dialog.getByRole("table", { name: "Sessions" }).waitFor({ state: "visible" });
  await dialog.getByRole("button", { name: "End all sessions", exact: true }).click();
  await visible(dialog.getByText("eve is not signed in anywhere."));
  await signedOut(eve);
  assert.deepEqual(problems, []);
});
