import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import type { Deployment } from "@/api/types";
import { Fact, Facts } from "@/components/Page";
import { Tags } from "@/components/Tag";
import { Time } from "@/components/Time";
import { plural } from "@/format/numbers";
import { OptionFacts } from "./OptionFacts";
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
