import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";

import { deploymentsQuery } from "@/api/queries";
import type { Deployment, HostCounts } from "@/api/types";
import { useDeploymentsStream } from "@/api/useDeploymentsStream";
import { Button, ButtonLink } from "@/components/Button";
import { EmptyState, ErrorNotice, Loading } from "@/components/Notice";
import { Cell, HeadCell, PageHeader, Pager, TableFrame } from "@/components/Page";
import { SearchBox } from "@/components/SearchBox";
import { Duration, Time } from "@/components/Time";
import { useTitle } from "@/components/useTitle";
import { usePermissions } from "@/features/session/usePermissions";
import { formatCount, plural } from "@/format/numbers";
import { HostBar } from "./HostBar";
import { DEPLOYMENT_STATUSES, reasonInWords } from "./status";
import { StatusLabel } from "./StatusLabel";

const route = getRouteApi("/app/deployments");
const PER_PAGE = 50;

export function DeploymentsPage() {
  useDeploymentsStream();
  const { search, status, page = 1 } = route.useSearch();
  const navigate = route.useNavigate();
  const { operate } = usePermissions();
  const deployments = useQuery(deploymentsQuery({ search, status, page, per_page: PER_PAGE }));
  const running = deployments.data?.data.filter((deployment) => deployment.status === "running").length ?? 0;
  useTitle(
    running > 0 ? `${running} running · Deployments` : "Deployments",
    running > 0 ? "running" : "idle",
  );
  const filtered = search !== undefined || status !== undefined;
  const change = (changes: {
    search?: string | undefined;
    status?: typeof status;
    page?: number | undefined;
  }) => void navigate({ search: (old) => ({ ...old, page: undefined, ...changes }), replace: true });
  const launch = (
    <Button variant="primary" icon="plus" onClick={() => void navigate({ to: "/deployments/new" })}>
      New deployment
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Deployments"
        detail={
          deployments.data &&
          plural(
            deployments.data.meta.total,
            filtered ? "match" : "deployment",
            filtered ? "matches" : undefined,
          )
        }
        actions={
          operate && (
            <>
              <ButtonLink to="/deployments/new" search={{ kind: "adhoc" }} icon="terminal">
                Run a command
              </ButtonLink>
              {launch}
            </>
          )
        }
      />
      <div className="panel overflow-hidden">
        <div className="border-line flex flex-wrap gap-2 border-b p-3">
          <SearchBox
            label="Search deployments"
            value={search ?? ""}
            onChange={(text) => {
              change({ search: text || undefined });
            }}
            className="min-w-44 flex-1 sm:max-w-xs"
          />
          <select
            aria-label="Status"
            className="control w-auto!"
            value={status ?? ""}
            onChange={(event) => {
              change({ status: DEPLOYMENT_STATUSES.find((known) => known === event.target.value) });
            }}
          >
            <option value="">Any status</option>
            {DEPLOYMENT_STATUSES.map((known) => (
              <option key={known} value={known}>
                {known}
              </option>
            ))}
          </select>
        </div>
        {deployments.isPending && <Loading what="deployments" />}
        {deployments.isError && (
          <ErrorNotice
            className="m-3"
            title="The deployments could not be read"
            error={deployments.error}
            onRetry={() => void deployments.refetch()}
          />
        )}
        {deployments.data &&
          (deployments.data.data.length > 0 ? (
            <>
              <DeploymentsTable deployments={deployments.data.data} />
              <Pager
                meta={deployments.data.meta}
                onPage={(next) => {
                  change({ page: next > 1 ? next : undefined });
                }}
              />
            </>
          ) : filtered ? (
            <EmptyState
              icon="search"
              title="No deployment matches"
              action={
                <Button
                  onClick={() => {
                    change({ search: undefined, status: undefined });
                  }}
                >
                  Clear filters
                </Button>
              }
            >
              Try fewer words or another status.
            </EmptyState>
          ) : (
            <EmptyState icon="deployments" title="No deployments yet" action={operate && launch}>
              Choose a playbook and the servers it runs on, then watch every host live. You need at least one
              server with a key.
            </EmptyState>
          ))}
      </div>
    </>
  );
}

function DeploymentsTable({ deployments }: { deployments: readonly Deployment[] }) {
  return (
    <TableFrame label="Deployments">
      <thead>
        <tr>
          <HeadCell className="text-right">#</HeadCell>
          <HeadCell>Deployment</HeadCell>
          <HeadCell>Status</HeadCell>
          <HeadCell className="w-2/5">Hosts</HeadCell>
          <HeadCell>By</HeadCell>
          <HeadCell>When</HeadCell>
          <HeadCell className="text-right">Duration</HeadCell>
        </tr>
      </thead>
      <tbody>
        {deployments.map((deployment) => (
          <tr key={deployment.id} className="hover:bg-hover">
            <Cell className="text-faint text-right">{deployment.number}</Cell>
            <Cell className="max-w-80 min-w-48">
              <Link
                to="/deployments/$id"
                params={{ id: String(deployment.number) }}
                className="block truncate font-medium hover:underline"
              >
                {deployment.name}
              </Link>
              <span className="text-faint block truncate text-xs">
                {subject(deployment)}
                {deployment.options.check === true && " · check mode"}
              </span>
            </Cell>
            <Cell>
              <span title={deployment.message ?? reasonInWords(deployment) ?? undefined}>
                <StatusLabel status={deployment.status} />
              </span>
              {deployment.status === "pending" && deployment.waiting_for.length > 0 && (
                <span className="text-faint block text-xs">
                  waits for {deployment.waiting_for.map((other) => `#${other.number}`).join(", ")}
                </span>
              )}
            </Cell>
            <Cell className="min-w-56">
              <HostBar counts={deployment.counts} />
              <span className="text-soft mt-1 block text-xs">{summary(deployment.counts)}</span>
            </Cell>
            <Cell className="whitespace-nowrap">{deployment.created_by.username}</Cell>
            <Cell className="text-soft">
              <Time value={deployment.created_at} />
            </Cell>
            <Cell className="text-right">
              <Duration started={deployment.started_at} finished={deployment.finished_at} />
            </Cell>
          </tr>
        ))}
      </tbody>
    </TableFrame>
  );
}

/** What it carries out, in a few words. */
function subject({ kind, command, playbook, version }: Deployment): string {
  if (command?.kind === "module") return `command: ${command.module} ${command.arguments}`;
  if (kind === "recorded") return `recorded: ${playbook}`;
  return version === null ? playbook : `${playbook} · version ${version.number}`;
}

/** `1,200 hosts · 3 failed · 1 unreachable · 20 changed` */
function summary(counts: HostCounts): string {
  const parts = (["failed", "unreachable", "cancelled", "running", "pending", "changed"] as const)
    .filter((name) => counts[name] > 0)
    .map((name) => `${formatCount(counts[name])} ${name}`);
  return [plural(counts.total, "host"), ...parts].join(" · ");
}
