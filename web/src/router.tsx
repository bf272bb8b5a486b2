import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";

import { DEPLOYMENT_STATUSES } from "@/features/deployments/status";
import { AppShell } from "@/shell/AppShell";
import { NotFound, PageError } from "@/shell/Fallback";
import {
  choiceParameter,
  countParameter,
  listParameter,
  pageParameter,
  parseSearch,
  stringifySearch,
  textParameter,
} from "@/shell/searchParams";

const root = createRootRoute({ component: Outlet, notFoundComponent: NotFound });

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: (search): { token?: string; next?: string } => ({
    token: textParameter(search.token),
    next: textParameter(search.next),
  }),
  component: lazyRouteComponent(() => import("@/features/session/SignInPage"), "SignInPage"),
});

const setup = createRoute({
  getParentRoute: () => root,
  path: "/setup",
  validateSearch: (search): { token?: string } => ({ token: textParameter(search.token) }),
  component: lazyRouteComponent(() => import("@/features/session/SetupPage"), "SetupPage"),
});

const app = createRoute({ getParentRoute: () => root, id: "app", component: AppShell });

const home = createRoute({
  getParentRoute: () => app,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/deployments" });
  },
});

const deployments = createRoute({
  getParentRoute: () => app,
  path: "/deployments",
  validateSearch: (
    search,
  ): { search?: string; status?: (typeof DEPLOYMENT_STATUSES)[number]; page?: number } => ({
    search: textParameter(search.search),
    status: choiceParameter(search.status, DEPLOYMENT_STATUSES),
    page: pageParameter(search.page),
  }),
  component: lazyRouteComponent(() => import("@/features/deployments/DeploymentsPage"), "DeploymentsPage"),
});

const newDeployment = createRoute({
  getParentRoute: () => app,
  path: "/deployments/new",
  validateSearch: (
    search,
  ): {
    servers?: string[];
    playbook?: string;
    /** The number of the playbook's version; today's otherwise. */
    version?: number;
    preset?: string;
    kind?: "adhoc";
    from?: string;
    step?: "servers" | "review";
  } => ({
    servers: listParameter(search.servers)?.flatMap((ids) => ids.split(",")),
    playbook: textParameter(search.playbook),
    version: countParameter(search.version),
    preset: textParameter(search.preset),
    kind: choiceParameter(search.kind, ["adhoc"]),
    from: textParameter(search.from),
    step: choiceParameter(search.step, ["servers", "review"]),
  }),
  component: lazyRouteComponent(() => import("@/features/launch/LaunchPage"), "LaunchPage"),
});

const DEPLOYMENT_TABS = ["hosts", "log", "details"] as const;

const deployment = createRoute({
  getParentRoute: () => app,
  path: "/deployments/$id",
  validateSearch: (
    search,
  ): {
    tab?: (typeof DEPLOYMENT_TABS)[number];
    status?: string[];
    search?: string;
    sort?: string;
    host?: string;
    /** The slice of that host. */
    of?: number;
    /** Only hosts of this slice. */
    slice?: number;
    find?: string;
  } => ({
    tab: choiceParameter(search.tab, DEPLOYMENT_TABS),
    status: listParameter(search.status),
    search: textParameter(search.search),
    sort: textParameter(search.sort),
    host: textParameter(search.host),
    of: countParameter(search.of),
    slice: countParameter(search.slice),
    find: textParameter(search.find),
  }),
  component: lazyRouteComponent(() => import("@/features/deployments/DeploymentPage"), "DeploymentPage"),
});

const ORIGIN_NAMES = ["custom", "project", "built_in"] as const;

const library = createRoute({ getParentRoute: () => app, path: "/playbooks" });

const playbooks = createRoute({
  getParentRoute: () => library,
  path: "/",
  validateSearch: (search): { search?: string; origin?: (typeof ORIGIN_NAMES)[number] } => ({
    search: textParameter(search.search),
    origin: choiceParameter(search.origin, ORIGIN_NAMES),
  }),
  component: lazyRouteComponent(() => import("@/features/playbooks/PlaybooksPage"), "PlaybooksPage"),
});

const PLAYBOOK_TABS = ["overview", "files", "versions", "form", "presets", "findings"] as const;

/** Ids of playbooks hold slashes: `/playbooks/custom/shop/site.yml`. */
const playbook = createRoute({
  getParentRoute: () => library,
  path: "$",
  validateSearch: (
    search,
  ): {
    tab?: (typeof PLAYBOOK_TABS)[number];
    /** The number of the version that is shown; today's otherwise. */
    version?: number;
    file?: string;
    line?: number;
    /** Numbers of the versions that are compared. */
    from?: number;
    to?: number;
  } => ({
    tab: choiceParameter(search.tab, PLAYBOOK_TABS),
    version: countParameter(search.version),
    file: textParameter(search.file),
    line: countParameter(search.line),
    from: countParameter(search.from),
    to: countParameter(search.to),
  }),
  component: lazyRouteComponent(() => import("@/features/playbooks/PlaybookPage"), "PlaybookPage"),
});

const projects = createRoute({
  getParentRoute: () => app,
  path: "/projects",
  validateSearch: (search): { add?: boolean; project?: string } => ({
    add: search.add === true || search.add === "true" || undefined,
    project: textParameter(search.project),
  }),
  component: lazyRouteComponent(() => import("@/features/projects/ProjectsPage"), "ProjectsPage"),
});

const servers = createRoute({
  getParentRoute: () => app,
  path: "/servers",
  validateSearch: (
    search,
  ): {
    search?: string;
    tag?: string[];
    status?: "active" | "inactive";
    sort?: string;
    page?: number;
    server?: string;
  } => ({
    search: textParameter(search.search),
    tag: listParameter(search.tag),
    status: choiceParameter(search.status, ["active", "inactive"]),
    sort: textParameter(search.sort),
    page: pageParameter(search.page),
    server: textParameter(search.server),
  }),
  component: lazyRouteComponent(() => import("@/features/servers/ServersPage"), "ServersPage"),
});

const keys = createRoute({
  getParentRoute: () => app,
  path: "/keys",
  validateSearch: (search): { search?: string; page?: number } => ({
    search: textParameter(search.search),
    page: pageParameter(search.page),
  }),
  component: lazyRouteComponent(() => import("@/features/keys/KeysPage"), "KeysPage"),
});

const settings = createRoute({
  getParentRoute: () => app,
  path: "/settings",
  component: lazyRouteComponent(() => import("@/features/settings/SettingsPage"), "SettingsPage"),
});

const account = createRoute({
  getParentRoute: () => app,
  path: "/account",
  component: lazyRouteComponent(() => import("@/features/account/AccountPage"), "AccountPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([
    signIn,
    setup,
    app.addChildren([
      home,
      deployments,
      newDeployment,
      deployment,
      library.addChildren([playbooks, playbook]),
      projects,
      servers,
      keys,
      settings,
      account,
    ]),
  ]),
  parseSearch,
  stringifySearch,
  defaultErrorComponent: PageError,
  defaultPreload: "intent",
  scrollRestoration: true,
  defaultHashScrollIntoView: false,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
