import { keepPreviousData, queryOptions } from "@tanstack/react-query";

import { api, withQuery, type Query } from "./client";
import { OWN_EVENTS } from "./ownEvents";
import type {
  ApiToken,
  Deployment,
  DeploymentServer,
  EventPage,
  Health,
  Page,
  PrivateKey,
  Run,
  Server,
  ServerTag,
  Session,
  Settings,
  SetupState,
  User,
  Worker,
  UserSession,
} from "./types";

/** The largest page the API gives of an ordinary list. */
const MAX_PAGE = 500;
/** The largest page the API gives of the hosts of a deployment. */
const MAX_HOST_PAGE = 5000;

/** Reads every page of a list, one after the other. */
export async function fetchAllPages<T>(
  path: string,
  query: Query,
  perPage: number = MAX_PAGE,
  signal?: AbortSignal,
): Promise<T[]> {
  const all: T[] = [];
  for (let page = 1; ; page += 1) {
    const answer = await api.get<Page<T>>(withQuery(path, { ...query, page, per_page: perPage }), { signal });
    all.push(...answer.data);
    if (page >= answer.meta.last_page || answer.data.length === 0) return all;
  }
}

export function fetchDeploymentServers(id: string, signal?: AbortSignal): Promise<DeploymentServer[]> {
  return fetchAllPages(`/api/deployments/${id}/servers`, {}, MAX_HOST_PAGE, signal);
}

export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: ({ signal }) => api.get<Session>("/api/session", { signal }),
  staleTime: 60_000,
});

export const setupQuery = queryOptions({
  queryKey: ["setup"],
  queryFn: ({ signal }) => api.get<SetupState>("/api/setup", { signal, anonymous: true }),
});

export const workersQuery = queryOptions({
  queryKey: ["workers"],
  queryFn: ({ signal }) => api.get<{ data: Worker[] }>("/api/workers", { signal }),
  refetchInterval: 30_000,
});

export const healthQuery = queryOptions({
  queryKey: ["health"],
  queryFn: ({ signal }) => api.get<Health>("/api/health", { signal, anonymous: true }),
  staleTime: 300_000,
});

export const serversQuery = (query: Query) =>
  queryOptions({
    queryKey: ["servers", "list", query],
    queryFn: ({ signal }) => api.get<Page<Server>>(withQuery("/api/servers", query), { signal }),
    placeholderData: keepPreviousData,
  });

/** Every server that matches, over all pages; `query` takes the list's filters. */
export const allServersQuery = (query: Query) =>
  queryOptions({
    queryKey: ["servers", "all", query],
    queryFn: ({ signal }) => fetchAllPages<Server>("/api/servers", query, MAX_PAGE, signal),
    staleTime: 30_000,
  });

export const serverQuery = (id: string) =>
  queryOptions({
    queryKey: ["servers", "one", id],
    queryFn: ({ signal }) => api.get<Server>(`/api/servers/${id}`, { signal }),
  });

export const serverTagsQuery = queryOptions({
  queryKey: ["servers", "tags"],
  queryFn: ({ signal }) => api.get<{ data: ServerTag[] }>("/api/server-tags", { signal }),
});

export const keysQuery = (query: Query) =>
  queryOptions({
    queryKey: ["keys", "list", query],
    queryFn: ({ signal }) => api.get<Page<PrivateKey>>(withQuery("/api/keys", query), { signal }),
    placeholderData: keepPreviousData,
  });

export const allKeysQuery = queryOptions({
  queryKey: ["keys", "all"],
  queryFn: ({ signal }) => fetchAllPages<PrivateKey>("/api/keys", {}, MAX_PAGE, signal),
});

export const deploymentsQuery = (query: Query) =>
  queryOptions({
    queryKey: ["deployments", "list", query],
    queryFn: ({ signal }) => api.get<Page<Deployment>>(withQuery("/api/deployments", query), { signal }),
    placeholderData: keepPreviousData,
  });

/** One deployment by its number or id. */
export const deploymentQuery = (id: string) =>
  queryOptions({
    queryKey: ["deployments", "one", id],
    queryFn: ({ signal }) => api.get<Deployment>(`/api/deployments/${encodeURIComponent(id)}`, { signal }),
  });

/** The runs of a deployment. `version` is anything that changes when they may have. */
export const runsQuery = (id: string, version: string) =>
  queryOptions({
    queryKey: ["deployments", "runs", id, version],
    queryFn: ({ signal }) => api.get<{ data: Run[] }>(`/api/deployments/${id}/runs`, { signal }),
    placeholderData: keepPreviousData,
  });

/** What Admiral itself noted about a deployment, in order. `version` as for the runs. */
export const ownEventsQuery = (id: string, version: string) =>
  queryOptions({
    queryKey: ["deployments", "own events", id, version],
    queryFn: ({ signal }) =>
      api.get<EventPage>(
        withQuery(`/api/deployments/${id}/events`, { kind: OWN_EVENTS.join(","), limit: 1000 }),
        { signal },
      ),
    placeholderData: keepPreviousData,
  });

export const usersQuery = queryOptions({
  queryKey: ["users"],
  queryFn: ({ signal }) => fetchAllPages<User>("/api/users", {}, MAX_PAGE, signal),
});

/** The tokens of one user, or all tokens that you may see. */
export const tokensQuery = (owner?: string) =>
  queryOptions({
    queryKey: ["tokens", owner],
    queryFn: ({ signal }) => fetchAllPages<ApiToken>("/api/tokens", { user_id: owner }, MAX_PAGE, signal),
  });

/** The sessions of one user. */
export const sessionsQuery = (owner: string) =>
  queryOptions({
    queryKey: ["sessions", owner],
    queryFn: ({ signal }) =>
      fetchAllPages<UserSession>("/api/sessions", { user_id: owner }, MAX_PAGE, signal),
  });

export const settingsQuery = queryOptions({
  queryKey: ["settings"],
  queryFn: ({ signal }) => api.get<Settings>("/api/settings", { signal }),
});
