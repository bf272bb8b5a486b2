import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { serversQuery, serverTagsQuery } from "@/api/queries";
import { ErrorNotice, Loading, Notice } from "@/components/Notice";
import { TagToggles } from "@/components/TagToggles";
import { plural } from "@/format/numbers";
import { isAboutTargets, type TargetMode } from "./launchForm";
import type { StepProps } from "./LaunchWizard";
import { ServerPicker } from "./ServerPicker";

const MODES: [TargetMode, string, string][] = [
  ["server_ids", "Chosen servers", "Pick them one by one or by search."],
  ["tags", "By tags", "Active servers that have all of the tags, at the moment of launch."],
  ["all", "All servers", "Every active server registered here."],
];

export function ServersStep({ form, change, errors }: StepProps) {
  const about = errors.filter((error) => isAboutTargets(error.field));
  return (
    <div className="space-y-4">
      <fieldset>
        <legend className="mb-2 font-semibold">Run on</legend>
        <div className="grid gap-2 sm:grid-cols-3">
          {MODES.map(([mode, name, hint]) => (
            <label
              key={mode}
              className={`flex cursor-pointer items-start gap-2 rounded-md border p-3 ${form.mode === mode ? "border-accent bg-accent-tint" : "border-line hover:bg-hover"}`}
            >
              <input
                type="radio"
                name="mode"
                value={mode}
                checked={form.mode === mode}
                onChange={() => {
                  change({ mode });
                }}
                className="accent-accent-strong mt-1"
              />
              <span>
                <span className="block text-sm font-medium">{name}</span>
                <span className="text-soft block text-xs">{hint}</span>
              </span>
            </label>
          ))}
        </div>
      </fieldset>
      {about.map((error) => (
        <Notice key={error.message} tone="error">
          {error.message}
        </Notice>
      ))}
      {form.mode === "server_ids" && (
        <ServerPicker
          selected={form.serverIds}
          onChange={(serverIds) => {
            change({ serverIds });
          }}
        />
      )}
      {form.mode === "tags" && (
        <TagPicker
          selected={form.targetTags}
          onChange={(targetTags) => {
            change({ targetTags });
          }}
        />
      )}
      {form.mode === "all" && (
        <MatchCount query={{}}>
          {(count) => (
            <Notice tone="warning">
              The playbook runs on <strong>every active server: {plural(count, "server")}</strong>.
            </Notice>
          )}
        </MatchCount>
      )}
    </div>
  );
}

function TagPicker({
  selected,
  onChange,
}: {
  selected: readonly string[];
  onChange: (tags: string[]) => void;
}) {
  const tags = useQuery(serverTagsQuery);
  if (tags.isPending) return <Loading what="tags" />;
  if (tags.isLoadingError)
    return (
      <ErrorNotice
        title="The tags could not be read"
        error={tags.error}
        onRetry={() => void tags.refetch()}
      />
    );
  const gone = selected.filter((tag) => !tags.data.data.some((known) => known.tag === tag));
  const all = [...tags.data.data, ...gone.map((tag) => ({ tag, servers: 0 }))];
  if (all.length === 0)
    return <p className="text-soft text-sm">No server has a tag yet. Tags are given on the Servers page.</p>;
  return (
    <div className="space-y-3">
      <TagToggles tags={all} chosen={selected} onChange={onChange} />
      {selected.length > 0 && (
        <MatchCount query={{ tag: selected }}>
          {(count) => (
            <p role="status" className="text-sm">
              <strong>{plural(count, "active server")}</strong> {count === 1 ? "has" : "have"}{" "}
              {selected.length === 1 ? "this tag" : "all of these tags"}.
            </p>
          )}
        </MatchCount>
      )}
    </div>
  );
}

function MatchCount({
  query,
  children,
}: {
  query: { tag?: readonly string[] };
  children: (count: number) => ReactNode;
}) {
  const servers = useQuery(serversQuery({ ...query, status: "active", page: 1, per_page: 1 }));
  if (servers.isLoadingError)
    return (
      <ErrorNotice
        title="The servers could not be counted"
        error={servers.error}
        onRetry={() => void servers.refetch()}
      />
    );
  return servers.data === undefined ? <Loading what="servers" /> : children(servers.data.meta.total);
}
