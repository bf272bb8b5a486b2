import { keepPreviousData, queryOptions } from "@tanstack/react-query";

import { api, withQuery } from "./client";
import type {
  Environment,
  GalaxyServer,
  Package,
  PackageFile,
  PackageFileContent,
  PackageVersion,
  Playbook,
  PlaybookForm,
  Preset,
  Project,
  VaultPassword,
  VersionDiff,
  VersionFindings,
} from "./types";
import { fetchAllPages } from "./queries";

/** How often the library is looked at while somebody looks at it: a file dropped into the folder shows soon. */
const LIBRARY_POLL_MS = 1_000;

const packages = (id: string) => `/api/packages/${id}`;

export const libraryQuery = queryOptions({
  queryKey: ["playbooks"],
  queryFn: ({ signal }) => api.get<{ data: Playbook[] }>("/api/playbooks", { signal }),
  refetchInterval: LIBRARY_POLL_MS,
  staleTime: 0,
});

export const packagesQuery = queryOptions({
  queryKey: ["packages"],
  queryFn: ({ signal }) => api.get<{ data: Package[] }>("/api/packages", { signal }),
});

export const packageQuery = (id: string) =>
  queryOptions({
    queryKey: ["packages", id],
    queryFn: ({ signal }) => api.get<Package>(packages(id), { signal }),
    refetchInterval: 3_000,
  });

/** Every version, the newest first. `current` is the newest one known: with another one the list has grown. */
export const versionsQuery = (id: string, current: string | undefined) =>
  queryOptions({
    queryKey: ["packages", id, "versions", current],
    queryFn: ({ signal }) => fetchAllPages<PackageVersion>(`${packages(id)}/versions`, {}, undefined, signal),
    placeholderData: keepPreviousData,
  });

// What a version holds never changes.

export const filesQuery = (id: string, version: string) =>
  queryOptions({
    queryKey: ["packages", id, "files", version],
    queryFn: ({ signal }) =>
      api.get<{ data: PackageFile[] }>(`${packages(id)}/versions/${version}/files`, { signal }),
    staleTime: Infinity,
  });

export const fileQuery = (id: string, version: string, path: string) =>
  queryOptions({
    queryKey: ["packages", id, "file", version, path],
    queryFn: ({ signal }) =>
      api.get<PackageFileContent>(withQuery(`${packages(id)}/versions/${version}/file`, { path }), {
        signal,
      }),
    staleTime: Infinity,
  });

export const diffQuery = (id: string, from: string, to: string) =>
  queryOptions({
    queryKey: ["packages", id, "diff", from, to],
    queryFn: ({ signal }) =>
      api.get<VersionDiff>(withQuery(`${packages(id)}/diff`, { from, to }), { signal }),
    staleTime: Infinity,
  });

export const findingsQuery = (id: string, version: string, entry: string) =>
  queryOptions({
    queryKey: ["packages", id, "findings", version, entry],
    queryFn: ({ signal }) =>
      api.get<VersionFindings>(withQuery(`${packages(id)}/versions/${version}/findings`, { entry }), {
        signal,
      }),
    staleTime: 60_000,
  });

export const playbookFormQuery = (id: string, version: string) =>
  queryOptions({
    queryKey: ["playbooks", "form", id, version],
    queryFn: ({ signal }) =>
      api.get<PlaybookForm>(withQuery("/api/playbooks/form", { id, version_id: version }), { signal }),
    staleTime: Infinity,
  });

export const presetsQuery = (playbook: string) =>
  queryOptions({
    queryKey: ["presets", playbook],
    queryFn: ({ signal }) => api.get<{ data: Preset[] }>(withQuery("/api/presets", { playbook }), { signal }),
  });

export const environmentsQuery = queryOptions({
  queryKey: ["environments"],
  queryFn: ({ signal }) => api.get<{ data: Environment[] }>("/api/environments", { signal }),
});

export const projectsQuery = queryOptions({
  queryKey: ["projects"],
  queryFn: ({ signal }) => fetchAllPages<Project>("/api/projects", {}, undefined, signal),
  refetchInterval: (query) => (query.state.data?.some((project) => project.syncing) ? 1_000 : 5_000),
});

export const vaultPasswordsQuery = queryOptions({
  queryKey: ["vault passwords"],
  queryFn: ({ signal }) => api.get<{ data: VaultPassword[] }>("/api/vault-passwords", { signal }),
});

export const galaxyServersQuery = queryOptions({
  queryKey: ["galaxy servers"],
  queryFn: ({ signal }) => api.get<{ data: GalaxyServer[] }>("/api/galaxy-servers", { signal }),
});
