import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { allServersQuery } from "@/api/queries";
import type { Server } from "@/api/types";
import { Button } from "@/components/Button";
import { ErrorNotice, Loading, Notice } from "@/components/Notice";
import { Fact, Facts } from "@/components/Page";
import { OptionFacts } from "@/features/deployments/DetailsTab";
import { plural } from "@/format/numbers";
import { requestOfLaunch, type LaunchForm, type Step } from "./launchForm";

/** More names than this are counted, not written. */
const MAX_NAMES = 1000;

/** Exactly what will run, and on whom. */
export function ReviewStep({ form, onEdit }: { form: LaunchForm; onEdit: (step: Step) => void }) {
  const request = requestOfLaunch(form);
  const variables = Object.entries(request.variables ?? {});
  const secrets = Object.keys(request.secret_variables ?? {});
  return (
    <div className="grid gap-7 lg:grid-cols-2">
      <Part
        title="Configuration"
        onEdit={() => {
          onEdit("configuration");
        }}
      >
        <Facts>
          <Fact name="Playbook">
            <code className="text-xs">{form.playbook || "none chosen"}</code>
          </Fact>
          <Fact name="Name">{request.name ?? <span className="text-faint">the playbook's name</span>}</Fact>
          {request.description !== undefined && (
            <Fact name="Description">
              <span className="whitespace-pre-line">{request.description}</span>
            </Fact>
          )}
          <Fact name="Variables">
            {variables.length + secrets.length === 0 ? (
              <span className="text-faint">none</span>
            ) : (
              <ul className="space-y-0.5 font-mono text-xs break-all">
                {variables.map(([name, value]) => (
                  <li key={name}>
                    {name} = {JSON.stringify(value)}
                  </li>
                ))}
                {secrets.map((name) => (
                  <li key={name}>
                    {name} = <span className="text-faint">•••••••• secret</span>
                  </li>
                ))}
              </ul>
            )}
          </Fact>
        </Facts>
        <div className="mt-1.5">
          <OptionFacts options={request.options ?? {}} />
        </div>
      </Part>
      <Part
        title="Servers"
        onEdit={() => {
          onEdit("servers");
        }}
      >
        <Targets form={form} />
      </Part>
    </div>
  );
}

function Targets({ form }: { form: LaunchForm }) {
  const servers = useQuery(
    allServersQuery(
      form.mode === "server_ids"
        ? {}
        : { status: "active", ...(form.mode === "tags" && { tag: form.targetTags }) },
    ),
  );
  if (servers.isPending) return <Loading what="servers" />;
  if (servers.isError)
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

function Part({ title, onEdit, children }: { title: string; onEdit: () => void; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <div className="mb-2.5 flex items-center justify-between">
        <h2 className="font-semibold">{title}</h2>
        <Button small icon="edit" aria-label={`Edit ${title.toLowerCase()}`} onClick={onEdit}>
          Edit
        </Button>
      </div>
      {children}
    </section>
  );
}
