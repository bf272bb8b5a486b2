import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { packageQuery } from "@/api/playbookQueries";
import type { Deployment } from "@/api/types";
import { Fact } from "@/components/Page";
import { Time } from "@/components/Time";
import { shellWords } from "./shellWords";

/** What a deployment carries out: a version of a playbook, a command, or what somebody ran in a shell. */
export function CarriedOut({ deployment }: { deployment: Deployment }) {
  const { command, kind, playbook } = deployment;
  if (command?.kind === "shell")
    return (
      <>
        <Fact name="Command line">
          <code className="text-xs break-all">{shellWords(command.words)}</code>
        </Fact>
        <Fact name="Folder">
          <code className="text-xs break-all">{command.folder}</code>
        </Fact>
        <Fact name="Machine">{command.machine}</Fact>
      </>
    );
  if (command?.kind === "module")
    return (
      <>
        <Fact name="Module">
          <code className="text-xs">{command.module}</code>
        </Fact>
        <Fact name="Arguments">
          {command.arguments === "" ? (
            <span className="text-faint">none</span>
          ) : (
            <code className="text-xs break-all">{command.arguments}</code>
          )}
        </Fact>
      </>
    );
  return (
    <>
      <Fact name="Playbook">
        {kind === "playbook" ? (
          <Link to="/playbooks/$" params={{ _splat: playbook }} className="link">
            <code className="text-xs">{playbook}</code>
          </Link>
        ) : (
          <code className="text-xs">{playbook}</code>
        )}
      </Fact>
      <VersionFacts deployment={deployment} />
      {deployment.environment !== null && <Fact name="Environment">{deployment.environment}</Fact>}
      {deployment.preset !== null && <Fact name="Preset">{deployment.preset}</Fact>}
    </>
  );
}

function VersionFacts({ deployment }: { deployment: Deployment }) {
  const { version, playbook } = deployment;
  const differs = version?.differs_from_current != null;
  const today = useQuery({
    ...packageQuery(version?.package_id ?? ""),
    enabled: differs,
    refetchInterval: false,
  }).data?.current_version;
  if (version === null) return null;
  return (
    <>
      <Fact name="Version">
        <Link
          to="/playbooks/$"
          params={{ _splat: playbook }}
          search={{ tab: "files", version: version.number }}
          className="link"
        >
          version {version.number}
        </Link>
        {version.commit_id != null && (
          <code className="text-faint ml-2 text-xs break-all">{version.commit_id}</code>
        )}
        {differs ? (
          <span className="text-changed block text-sm">
            differs from today's
            {today != null && (
              <>
                :{" "}
                <Link
                  to="/playbooks/$"
                  params={{ _splat: playbook }}
                  search={{ tab: "versions", from: version.number, to: today.number }}
                  className="link"
                >
                  what changed up to version {today.number}
                </Link>
              </>
            )}
          </span>
        ) : (
          <span className="text-faint block text-xs">the same files as today's</span>
        )}
      </Fact>
      {version.reviewed_at != null && (
        <Fact name="Findings accepted">
          by {version.reviewed_by_name}, <Time value={version.reviewed_at} />
        </Fact>
      )}
    </>
  );
}
