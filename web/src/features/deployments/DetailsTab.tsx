import { Link } from "@tanstack/react-router";

import type { Deployment } from "@/api/types";
import { Fact, Facts, Section } from "@/components/Page";
import { Tags } from "@/components/Tag";
import { Time } from "@/components/Time";
import { plural } from "@/format/numbers";
import { CarriedOut } from "./CarriedOut";
import { FrozenVariables } from "./FrozenVariables";
import { OptionFacts } from "./OptionFacts";
import { isolationInWords } from "./isolation";
import { RunsAndHistory } from "./RunsAndHistory";

export function DetailsTab({ deployment }: { deployment: Deployment }) {
  const recorded = deployment.kind === "recorded";
  return (
    <div className="grid gap-8 p-4 lg:grid-cols-2">
      <Section title={recorded ? "Recorded" : "Launch"}>
        <Facts>
          <CarriedOut deployment={deployment} />
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
          <Fact name={recorded ? "Run by" : "Launched by"}>{deployment.created_by.username}</Fact>
          {!recorded && deployment.isolation !== null && (
            <Fact name="Isolation">{isolationInWords(deployment.isolation)}</Fact>
          )}
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
        {recorded ? (
          <p className="text-soft text-sm">
            Those of the command line, of its settings and of its inventory. Admiral only watched.
          </p>
        ) : (
          <OptionFacts options={deployment.options} />
        )}
      </Section>
      <RunsAndHistory deployment={deployment} />
      {!recorded && (
        <Section title="Variables">
          <FrozenVariables deployment={deployment} />
        </Section>
      )}
      {deployment.overridden_settings.length > 0 && (
        <Section title="Settings of ansible.cfg that do not hold">
          <dl className="space-y-2 text-sm">
            {deployment.overridden_settings.map((setting) => (
              <div key={`${setting.section} ${setting.key}`}>
                <dt className="font-mono text-xs font-semibold break-all">
                  [{setting.section}] {setting.key} = {setting.value}
                </dt>
                <dd className="text-soft">{setting.reason}</dd>
              </div>
            ))}
          </dl>
        </Section>
      )}
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
    case "recorded":
      return "the hosts of the inventory it was run with";
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
