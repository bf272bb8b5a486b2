import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useLocation } from "@tanstack/react-router";

import { deploymentQuery } from "@/api/queries";
import type { Deployment } from "@/api/types";
import { useDeploymentStream } from "@/api/useDeploymentStream";
import { ErrorNotice, Loading, Notice } from "@/components/Notice";
import { Tabs } from "@/components/Tabs";
import { useTitle } from "@/components/useTitle";
import { DeploymentHeader } from "./DeploymentHeader";
import { DetailsTab } from "./DetailsTab";
import { HostPanel } from "./HostPanel";
import { HostsTab } from "./HostsTab";
import { lineOfHash } from "./logLines";
import { LogTab } from "./LogTab";
import { findRow } from "./slices";
import { deploymentTitle } from "./status";

const route = getRouteApi("/app/deployments/$id");

const TABS = [
  { key: "hosts", name: "Hosts" },
  { key: "log", name: "Log" },
  { key: "details", name: "Details" },
] as const;

export function DeploymentPage() {
  const { id } = route.useParams();
  // Read once: from then on the stream keeps it true.
  const deployment = useQuery({ ...deploymentQuery(id), staleTime: Infinity, gcTime: 0 });
  if (deployment.isPending) return <Loading what="the deployment" />;
  if (deployment.isLoadingError)
    return (
      <ErrorNotice
        title={`Deployment ${id} could not be read`}
        error={deployment.error}
        onRetry={() => void deployment.refetch()}
      />
    );
  return <LiveDeployment key={deployment.data.id} initial={deployment.data} />;
}

function LiveDeployment({ initial }: { initial: Deployment }) {
  const { deployment, rows, rowsLoaded, rowsError, apply, retryRows } = useDeploymentStream(initial);
  const { tab: chosen, host, of } = route.useSearch();
  const toLine = lineOfHash(useLocation({ select: (location) => location.hash })) !== null;
  const tab = chosen ?? (toLine ? "log" : "hosts");
  const navigate = route.useNavigate();
  useTitle(deploymentTitle(deployment), deployment.status);
  return (
    <>
      <DeploymentHeader
        deployment={deployment}
        onChanged={(changed) => {
          apply({ type: "deployment", deployment: changed });
        }}
      />
      {deployment.warnings.length > 0 && (
        <Notice tone="warning" title="Warnings" className="mb-4">
          <ul className="list-disc pl-4">
            {deployment.warnings.map((warning) => (
              <li key={warning}>{warning}</li>
            ))}
          </ul>
        </Notice>
      )}
      <Tabs
        label="Deployment"
        tabs={TABS}
        chosen={tab}
        onChoose={(key) =>
          void navigate({ search: (old) => ({ ...old, tab: key === "hosts" ? undefined : key }) })
        }
      >
        {tab === "hosts" && (
          <>
            {rowsError !== null && (
              <ErrorNotice
                className="m-3"
                title="The hosts could not be read"
                error={rowsError}
                onRetry={retryRows}
              />
            )}
            <HostsTab deployment={deployment} rows={rows} loaded={rowsLoaded} />
          </>
        )}
        {tab === "log" && <LogTab deployment={deployment} />}
        {tab === "details" && <DetailsTab deployment={deployment} />}
      </Tabs>
      {host !== undefined && (
        <HostPanel
          key={`${of ?? ""}/${host}`}
          deployment={deployment}
          host={host}
          slice={of}
          row={findRow(rows.values(), host, of)}
          onClose={() => void navigate({ search: (old) => ({ ...old, host: undefined, of: undefined }) })}
        />
      )}
    </>
  );
}
