import { useQuery } from "@tanstack/react-query";

import { allServersQuery } from "@/api/queries";
import type { Server } from "@/api/types";
import { ErrorNotice, Loading, Notice } from "@/components/Notice";
import { plural } from "@/format/numbers";
import type { LaunchForm } from "./launchForm";

/** More names than this are counted, not written. */
const MAX_NAMES = 1000;

/** Whom it hits, and who among them cannot be reached. */
export function ReviewTargets({ form }: { form: LaunchForm }) {
  const servers = useQuery(
    allServersQuery(
      form.mode === "server_ids"
        ? {}
        : { status: "active", ...(form.mode === "tags" && { tag: form.targetTags }) },
    ),
  );
  if (servers.isPending) return <Loading what="servers" />;
  if (servers.isLoadingError)
    return (
      <ErrorNotice
        title="The servers could not be read"
        error={servers.error}
        onRetry={() => void servers.refetch()}
      />
    );
  const chosen = new Set(form.serverIds);
  const hit =
    form.mode === "server_ids" ? servers.data.filter((server) => chosen.has(server.id)) : servers.data;
  const gone = form.mode === "server_ids" ? chosen.size - hit.length : 0;
  const keyless = hit.filter((server) => server.private_key === null);
  const inactive = hit.filter((server) => server.status === "inactive");
  return (
    <div className="space-y-3">
      {form.mode === "all" ? (
        <Notice tone="warning" title={`This runs on all ${plural(hit.length, "active server")}`}>
          Every active server registered here is a target.
        </Notice>
      ) : (
        <p>
          <strong className="text-base">{plural(hit.length, "server")}</strong>
          {form.mode === "tags" &&
            ` with ${form.targetTags.length === 1 ? "the tag" : "all of the tags"} ${form.targetTags.join(", ")}`}
        </p>
      )}
      {form.limit.trim() !== "" && (
        <Notice tone="info">
          The limit <code>{form.limit.trim()}</code> narrows these further.
        </Notice>
      )}
      {hit.length === 0 && <Notice tone="error">No server would be hit. Go back and choose some.</Notice>}
      {gone > 0 && (
        <Notice tone="error">
          {plural(gone, "chosen server is", "chosen servers are")} no longer registered. Choose again.
        </Notice>
      )}
      {keyless.length > 0 && (
        <Notice tone="error">
          {plural(keyless.length, "server has", "servers have")} no private key and cannot be reached:{" "}
          {names(keyless)} Give {keyless.length === 1 ? "it" : "each"} a key on the Servers page, or leave{" "}
          {keyless.length === 1 ? "it" : "them"} out.
        </Notice>
      )}
      {inactive.length > 0 && (
        <Notice tone="error">
          {plural(inactive.length, "server is", "servers are")} inactive and cannot be targeted:{" "}
          {names(inactive)}
        </Notice>
      )}
      <ul
        aria-label="Servers that are hit"
        tabIndex={0}
        className="border-line max-h-80 columns-2 gap-4 overflow-y-auto rounded-md border px-3 py-2 font-mono text-xs leading-5 empty:hidden"
      >
        {hit.slice(0, MAX_NAMES).map((server) => (
          <li key={server.id} className="break-all">
            {server.hostname}
          </li>
        ))}
        {hit.length > MAX_NAMES && <li>and {plural(hit.length - MAX_NAMES, "more server")}</li>}
      </ul>
    </div>
  );
}

function names(servers: readonly Server[]): string {
  const first = servers
    .slice(0, 5)
    .map((server) => server.hostname)
    .join(", ");
  return servers.length > 5 ? `${first} and ${servers.length - 5} more.` : `${first}.`;
}
