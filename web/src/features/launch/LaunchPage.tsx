import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";

import { deploymentQuery } from "@/api/queries";
import { ErrorNotice, Loading, Notice } from "@/components/Notice";
import { PageHeader } from "@/components/Page";
import { useTitle } from "@/components/useTitle";
import { usePermissions } from "@/features/session/usePermissions";
import { EMPTY_LAUNCH, formOfDeployment, type LaunchForm } from "./launchForm";
import { LaunchWizard } from "./LaunchWizard";

const route = getRouteApi("/app/deployments/new");

export function LaunchPage() {
  useTitle("New deployment");
  const { from, servers = [], playbook = "" } = route.useSearch();
  const { operate } = usePermissions();
  const earlier = useQuery({
    ...deploymentQuery(from ?? ""),
    enabled: from !== undefined,
    staleTime: Infinity,
  });
  let form: LaunchForm | null = null;
  if (from === undefined) form = { ...EMPTY_LAUNCH, playbook, serverIds: servers };
  else if (earlier.data !== undefined) form = formOfDeployment(earlier.data);
  return (
    <div className="mx-auto max-w-5xl">
      <PageHeader
        title="New deployment"
        detail={earlier.data && `From #${earlier.data.number} ${earlier.data.name}`}
      />
      {!operate && (
        <Notice tone="info" className="mb-4">
          Your role can look but not launch. Ask an administrator for the operator role.
        </Notice>
      )}
      {from !== undefined && earlier.isPending && <Loading what="the earlier deployment" />}
      {earlier.isError && (
        <ErrorNotice
          title="The earlier deployment could not be read"
          error={earlier.error}
          onRetry={() => void earlier.refetch()}
        />
      )}
      {form !== null && <LaunchWizard key={from ?? "new"} initial={form} />}
    </div>
  );
}
