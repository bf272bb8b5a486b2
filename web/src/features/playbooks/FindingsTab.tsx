import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { api } from "@/api/client";
import { findingsQuery } from "@/api/playbookQueries";
import type { PackageVersion, VersionFindings } from "@/api/types";
import { Button } from "@/components/Button";
import { ErrorNotice, Loading, Notice } from "@/components/Notice";
import { Time } from "@/components/Time";
import { FindingRows } from "./FindingRows";
import { countFindings } from "./findings";
import type { TabProps } from "./PlaybookPage";

const LINT: Record<VersionFindings["lint"], string> = {
  ran: "ansible-lint looked at it too.",
  not_installed: "ansible-lint is not installed beside Admiral and did not look at it.",
  failed: "ansible-lint could not look at it.",
};

export function FindingsTab({ playbook, of, version, operate }: TabProps) {
  const client = useQueryClient();
  const findings = useQuery(findingsQuery(of.id, version.id, playbook.entry_path));
  const accept = useMutation({
    mutationFn: () => api.post<PackageVersion>(`/api/packages/${of.id}/versions/${version.id}/review`, {}),
    onSuccess: () => client.invalidateQueries({ queryKey: ["packages", of.id] }),
  });
  if (findings.isPending) return <Loading what="the findings" />;
  if (findings.isLoadingError)
    return (
      <ErrorNotice
        title="The findings could not be read"
        error={findings.error}
        onRetry={() => void findings.refetch()}
      />
    );
  const all = findings.data.data;
  return (
    <div className="space-y-4">
      <div className="flex flex-wrap items-start justify-between gap-3">
        <div>
          <h2 className="font-semibold">
            {all.length === 0 ? "Nothing found" : countFindings(all)} in version {version.number}
          </h2>
          <p className="text-soft text-sm">
            Findings warn and do not keep anything from running. {LINT[findings.data.lint]}
          </p>
        </div>
        {of.origin === "custom" && version.reviewed_at === null && operate && (
          <Button
            icon="check"
            busy={accept.isPending}
            onClick={() => {
              accept.mutate();
            }}
          >
            {all.length === 0 ? "Accept this version" : "Accept these findings"}
          </Button>
        )}
      </div>
      {accept.isError && <ErrorNotice title="Not accepted" error={accept.error} />}
      {of.origin === "custom" &&
        (version.reviewed_at !== null ? (
          <Notice tone="success">
            Accepted by {version.reviewed_by_name}, <Time value={version.reviewed_at} />.
          </Notice>
        ) : (
          <Notice tone="info">
            Nobody has accepted this version yet. Whoever launches it first is asked to; it is kept in the
            audit log.
          </Notice>
        ))}
      <FindingRows
        findings={all}
        place={(finding, text) => (
          <Link
            to="/playbooks/$"
            params={{ _splat: playbook.id }}
            search={{
              tab: "files",
              file: finding.path,
              ...(finding.line !== null && { line: finding.line }),
              ...(version.id !== of.current_version?.id && { version: version.number }),
            }}
            className="link"
          >
            {text}
          </Link>
        )}
      />
    </div>
  );
}
