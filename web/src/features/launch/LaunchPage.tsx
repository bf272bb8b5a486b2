import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";

import { environmentsQuery, libraryQuery, presetsQuery, versionsQuery } from "@/api/playbookQueries";
import { deploymentQuery } from "@/api/queries";
import { ErrorNotice, Loading, Notice } from "@/components/Notice";
import { PageHeader } from "@/components/Page";
import { useTitle } from "@/components/useTitle";
import { formOfOptions } from "@/features/options/options";
import { usePermissions } from "@/features/session/usePermissions";
import { EMPTY_LAUNCH, formOfDeployment, type LaunchForm } from "./launchForm";
import { LaunchWizard } from "./LaunchWizard";

const route = getRouteApi("/app/deployments/new");

export function LaunchPage() {
  useTitle("New deployment");
  const { from, version } = route.useSearch();
  const { operate } = usePermissions();
  const { form, waitsFor, error, retry, detail, lostFiles } = useInitialForm();
  return (
    <div className="mx-auto max-w-5xl">
      <PageHeader title="New deployment" detail={detail} />
      {!operate && (
        <Notice tone="info" className="mb-4">
          Your role can look but not launch. Ask an administrator for the operator role.
        </Notice>
      )}
      {lostFiles.length > 0 && (
        <Notice tone="warning" className="mb-4" title="Files are not kept">
          The earlier deployment was given files for {lostFiles.join(", ")}. Choose them again where they are
          needed.
        </Notice>
      )}
      {error !== null && (
        <ErrorNotice title={`The ${waitsFor} could not be read`} error={error} onRetry={retry} />
      )}
      {error === null && form === null && <Loading what={`the ${waitsFor}`} />}
      {form !== null && <LaunchWizard key={`${from ?? "new"} ${version ?? ""}`} initial={form} />}
    </div>
  );
}

/** What the address asks for: an earlier deployment, a playbook, a version of it, a preset, servers. */
function useInitialForm(): {
  form: LaunchForm | null;
  waitsFor: string;
  error: unknown;
  retry: () => void;
  detail: string | undefined;
  /** Variables of the earlier deployment that were files. */
  lostFiles: readonly string[];
} {
  const { from, servers = [], playbook: asked = "", version, preset: presetId, kind } = route.useSearch();
  const once = { staleTime: Infinity, refetchInterval: false as const };
  const earlier = useQuery({ ...deploymentQuery(from ?? ""), enabled: from !== undefined, ...once });
  const playbook = from === undefined ? asked : (earlier.data?.playbook ?? "");
  // A version and the presets are named by what the library knows.
  const needsVersion = version !== undefined && playbook !== "";
  const library = useQuery({ ...libraryQuery, enabled: needsVersion, ...once });
  const known = library.data?.data.find((one) => one.id === playbook);
  const versions = useQuery({
    ...versionsQuery(known?.package_id ?? "", known?.version ?? undefined),
    enabled: needsVersion && known !== undefined,
  });
  const environmentName = earlier.data?.environment ?? null;
  const presetName = earlier.data?.preset ?? null;
  const environments = useQuery({ ...environmentsQuery, enabled: environmentName !== null, ...once });
  const needsPresets = presetName !== null || presetId !== undefined;
  const presets = useQuery({ ...presetsQuery(playbook), enabled: needsPresets && playbook !== "", ...once });

  const waits = [
    ["earlier deployment", earlier, from !== undefined],
    ["library", library, needsVersion],
    ["versions", versions, needsVersion && known !== undefined],
    ["environments", environments, environmentName !== null],
    ["presets", presets, needsPresets && playbook !== ""],
  ] as const;
  const pending = waits.find(([, query, needed]) => needed && query.data === undefined);
  const detail = earlier.data === undefined ? undefined : `From #${earlier.data.number} ${earlier.data.name}`;
  const about = { detail, lostFiles: earlier.data?.file_variables ?? [] };
  if (pending !== undefined) {
    const [waitsFor, query] = pending;
    return { form: null, waitsFor, error: query.error, retry: () => void query.refetch(), ...about };
  }
  const preset = presets.data?.data.find((one) => one.id === presetId || one.name === presetName);
  const versionId = needsVersion ? versions.data?.find((one) => one.number === version)?.id : "";
  if (versionId === undefined) {
    const error = new Error(`${playbook} has no version ${version}. Choose another one on its page.`);
    return { form: null, waitsFor: "version", error, retry: () => void library.refetch(), ...about };
  }
  const base: LaunchForm =
    earlier.data === undefined
      ? {
          ...EMPTY_LAUNCH,
          ...(preset !== undefined && formOfOptions(preset.options)),
          kind: kind ?? "playbook",
          playbook: asked,
          presetId: preset?.id ?? "",
          serverIds: servers,
        }
      : formOfDeployment(earlier.data, {
          environmentId: environments.data?.data.find((one) => one.name === environmentName)?.id,
          presetId: preset?.id,
        });
  return { form: { ...base, versionId }, waitsFor: "", error: null, retry: () => undefined, ...about };
}
