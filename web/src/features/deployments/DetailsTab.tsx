import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import type { Deployment, DeploymentOptions } from "@/api/types";
import { Fact, Facts } from "@/components/Page";
import { Tags } from "@/components/Tag";
import { Time } from "@/components/Time";
import { plural } from "@/format/numbers";
import { formatDuration } from "@/format/time";
import { RunsAndHistory } from "./RunsAndHistory";

export function DetailsTab({ deployment }: { deployment: Deployment }) {
  const variables = Object.entries(deployment.variables);
  return (
    <div className="grid gap-8 p-4 lg:grid-cols-2">
      <Section title="Launch">
        <Facts>
          <Fact name="Playbook">
            <code className="text-xs">{deployment.playbook}</code>
          </Fact>
          <Fact name="Target">
            <Target deployment={deployment} />
          </Fact>
          {deployment.retry_of !== null && (
            <Fact name="Retry of">
              <Link to="/deployments/$id" params={{ id: deployment.retry_of }} className="link">
                the earlier deployment
              </Link>
            </Fact>
          )}
          <Fact name="Launched by">{deployment.created_by.username}</Fact>
          <Moment name="Created" value={deployment.created_at} />
          <Moment name="Started" value={deployment.started_at} />
          <Moment name="Cancel requested" value={deployment.cancel_requested_at} />
          <Moment name="Finished" value={deployment.finished_at} />
          <Fact name="Id">
            <code className="text-xs">{deployment.id}</code>
          </Fact>
        </Facts>
      </Section>
      <Section title="Options">
        <OptionFacts options={deployment.options} />
      </Section>
      <RunsAndHistory deployment={deployment} />
      <Section title="Variables">
        {variables.length === 0 && deployment.secret_variables.length === 0 ? (
          <p className="text-soft text-sm">None.</p>
        ) : (
          <dl className="space-y-2 text-sm">
            {variables.map(([name, value]) => (
              <div key={name}>
                <dt className="font-mono text-xs font-semibold">{name}</dt>
                <dd>
                  <pre className="bg-sunken overflow-x-auto rounded-md px-2.5 py-1.5 text-xs whitespace-pre-wrap">
                    {typeof value === "string" ? value : JSON.stringify(value, null, 2)}
                  </pre>
                </dd>
              </div>
            ))}
            {deployment.secret_variables.map((name) => (
              <div key={name}>
                <dt className="font-mono text-xs font-semibold">{name}</dt>
                <dd className="bg-sunken text-faint rounded-md px-2.5 py-1.5 text-xs">•••••••• secret</dd>
              </div>
            ))}
          </dl>
        )}
      </Section>
    </div>
  );
}

export function OptionFacts({ options }: { options: DeploymentOptions }) {
  const yes = (value: boolean | undefined) => (value === true ? "yes" : "no");
  return (
    <Facts>
      <Fact name="Forks">{options.forks ?? 50}</Fact>
      <Fact name="Check mode">{yes(options.check)}</Fact>
      <Fact name="Show diffs">{yes(options.diff)}</Fact>
      <Fact name="Become root">{yes(options.become)}</Fact>
      {(options.limit ?? "") !== "" && (
        <Fact name="Limit">
          <code className="text-xs">{options.limit}</code>
        </Fact>
      )}
      {options.tags !== undefined && options.tags.length > 0 && (
        <Fact name="Only tasks tagged">
          <Tags tags={options.tags} />
        </Fact>
      )}
      {options.skip_tags !== undefined && options.skip_tags.length > 0 && (
        <Fact name="Skip tasks tagged">
          <Tags tags={options.skip_tags} />
        </Fact>
      )}
      {(options.start_at_task ?? "") !== "" && <Fact name="Start at task">{options.start_at_task}</Fact>}
      <Fact name="Verbosity">{options.verbosity ?? 0}</Fact>
      <Fact name="Timeout">{formatDuration((options.timeout_seconds ?? 3600) * 1000)}</Fact>
      <Fact name="Slices">{options.slices ?? 1}</Fact>
      <Fact name="Accelerator">{options.accelerator ?? "as the playbook says"}</Fact>
      <Fact name="Allow overlap">{yes(options.allow_overlap)}</Fact>
      <Fact name="Priority">{options.priority ?? 0}</Fact>
    </Facts>
  );
}

function Target({ deployment: { target } }: { deployment: Deployment }) {
  switch (target.kind) {
    case "all":
      return "all active servers";
    case "tags":
      return (
        <span className="flex flex-wrap items-center gap-1">
          active servers having all of <Tags tags={target.tags} />
        </span>
      );
    case "server_ids":
      return `${plural(target.server_ids.length, "chosen server")}`;
  }
}

function Moment({ name, value }: { name: string; value: string | null }) {
  return value === null ? null : (
    <Fact name={name}>
      <Time value={value} exact />
    </Fact>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <h2 className="mb-2 font-semibold">{title}</h2>
      {children}
    </section>
  );
}
