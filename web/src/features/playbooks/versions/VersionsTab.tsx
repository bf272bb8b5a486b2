import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";

import { diffQuery, versionsQuery } from "@/api/playbookQueries";
import type { PackageVersion } from "@/api/types";
import { Button, ButtonLink } from "@/components/Button";
import { Commit } from "@/components/Commit";
import { ErrorNotice, Loading } from "@/components/Notice";
import { Cell, HeadCell, TableFrame } from "@/components/Page";
import { Time } from "@/components/Time";
import { plural } from "@/format/numbers";
import { DiffView } from "../DiffView";
import type { TabProps } from "../PlaybookPage";
import { RollBackDialog } from "./RollBackDialog";

const route = getRouteApi("/app/playbooks/$");

export function VersionsTab({ playbook, of, operate }: TabProps) {
  const { from, to } = route.useSearch();
  const navigate = route.useNavigate();
  const current = of.current_version;
  const versions = useQuery(versionsQuery(of.id, current?.id));
  const [target, setTarget] = useState<PackageVersion | null>(null);
  // Only what people upload and write here is accepted by somebody.
  const reviewed = of.origin === "custom";
  const choose = (changes: { from?: number; to?: number }) =>
    void navigate({ search: (old) => ({ ...old, ...changes }), replace: true });
  if (versions.isPending) return <Loading what="the versions" />;
  if (versions.isLoadingError)
    return (
      <ErrorNotice
        title="The versions could not be read"
        error={versions.error}
        onRetry={() => void versions.refetch()}
      />
    );
  const byNumber = (number: number | undefined) => versions.data.find((version) => version.number === number);
  const left = byNumber(from);
  const right = byNumber(to);
  return (
    <div className="space-y-6">
      <TableFrame label="Versions">
        <thead>
          <tr>
            <HeadCell>Version</HeadCell>
            <HeadCell>
              Compare<span className="sr-only">: from and to</span>
            </HeadCell>
            <HeadCell>By</HeadCell>
            <HeadCell>When</HeadCell>
            <HeadCell>Comment</HeadCell>
            {reviewed && <HeadCell>Findings</HeadCell>}
            <HeadCell>
              <span className="sr-only">Actions</span>
            </HeadCell>
          </tr>
        </thead>
        <tbody>
          {versions.data.map((version) => {
            const isCurrent = version.id === current?.id;
            return (
              <tr key={version.id} className="hover:bg-hover">
                <Cell className="font-medium whitespace-nowrap">
                  <Link
                    to="/playbooks/$"
                    params={{ _splat: playbook.id }}
                    search={{ tab: "files", ...(!isCurrent && { version: version.number }) }}
                    className="link"
                  >
                    version {version.number}
                  </Link>
                  {isCurrent && <span className="text-success ml-1.5 text-xs font-normal">today's</span>}
                </Cell>
                <Cell>
                  <span className="flex gap-2">
                    {(["from", "to"] as const).map((side) => (
                      <label key={side} className="text-faint flex items-center gap-1 text-xs">
                        <input
                          type="radio"
                          name={side}
                          aria-label={`Compare ${side} version ${version.number}`}
                          className="accent-accent-strong"
                          checked={(side === "from" ? from : to) === version.number}
                          onChange={() => {
                            choose({ [side]: version.number });
                          }}
                        />
                        {side}
                      </label>
                    ))}
                  </span>
                </Cell>
                <Cell className="whitespace-nowrap">{version.author_name}</Cell>
                <Cell className="text-soft">
                  <Time value={version.created_at} />
                </Cell>
                <Cell className="min-w-40">
                  <Remark version={version} />
                </Cell>
                {reviewed && (
                  <Cell className="text-soft text-xs">
                    {version.reviewed_at === null ? (
                      <span className="text-faint">not accepted</span>
                    ) : (
                      <>accepted by {version.reviewed_by_name}</>
                    )}
                  </Cell>
                )}
                <Cell className="text-right whitespace-nowrap">
                  <span className="inline-flex flex-wrap justify-end gap-1.5">
                    {version.number > 1 && byNumber(version.number - 1) !== undefined && (
                      <Button
                        small
                        variant="quiet"
                        aria-label={`What changed in version ${version.number}`}
                        onClick={() => {
                          choose({ from: version.number - 1, to: version.number });
                        }}
                      >
                        Changes
                      </Button>
                    )}
                    {operate && (
                      <ButtonLink
                        small
                        to="/deployments/new"
                        search={{ playbook: playbook.id, ...(!isCurrent && { version: version.number }) }}
                      >
                        Run<span className="sr-only"> version {version.number}</span>
                      </ButtonLink>
                    )}
                    {operate && reviewed && !isCurrent && (
                      <Button
                        small
                        aria-label={`Roll back to version ${version.number}`}
                        onClick={() => {
                          setTarget(version);
                        }}
                      >
                        Roll back
                      </Button>
                    )}
                  </span>
                </Cell>
              </tr>
            );
          })}
        </tbody>
      </TableFrame>
      {left !== undefined && right !== undefined ? (
        <Comparison packageId={of.id} from={left} to={right} />
      ) : (
        versions.data.length > 1 && (
          <p className="text-soft text-sm">Choose two versions to see what changed between them.</p>
        )
      )}
      {target !== null && current !== null && (
        <RollBackDialog
          of={of}
          current={current}
          target={target}
          onClose={() => {
            setTarget(null);
          }}
        />
      )}
    </div>
  );
}

function Remark({ version }: { version: PackageVersion }) {
  return (
    <span className="break-words">
      {version.comment}
      {version.rolled_back_to !== null && (
        <span className="text-soft"> (rolled back to version {version.rolled_back_to})</span>
      )}
      {version.commit_id !== null && (
        <span className="text-faint block">
          <Commit id={version.commit_id} />
        </span>
      )}
      {version.comment === "" && version.rolled_back_to === null && version.commit_id === null && (
        <span className="text-faint">–</span>
      )}
    </span>
  );
}

function Comparison({
  packageId,
  from,
  to,
}: {
  packageId: string;
  from: PackageVersion;
  to: PackageVersion;
}) {
  const diff = useQuery(diffQuery(packageId, from.id, to.id));
  return (
    <section aria-label="Differences">
      <h2 className="mb-2 font-semibold">
        From version {from.number} to version {to.number}
        {diff.data && (
          <span className="text-soft font-normal"> · {plural(diff.data.files.length, "file")} changed</span>
        )}
      </h2>
      {diff.isPending && <Loading what="the differences" />}
      {diff.isError && (
        <ErrorNotice
          title="The differences could not be read"
          error={diff.error}
          onRetry={() => void diff.refetch()}
        />
      )}
      {diff.data && <DiffView files={diff.data.files} />}
    </section>
  );
}
