import { useQuery } from "@tanstack/react-query";

import {
  environmentsQuery,
  libraryQuery,
  playbookFormQuery,
  presetsQuery,
  versionsQuery,
} from "@/api/playbookQueries";
import type { Environment, PackageVersion, Playbook, PlaybookForm, Preset } from "@/api/types";
import type { Given } from "./formAnswers";
import { givenAnswers, hiddenFields, lowerValues, type Lower } from "./given";
import type { LaunchForm } from "./launchForm";

/** What the launch's choices lead to. */
export interface LaunchContext {
  playbook: Playbook | undefined;
  versions: readonly PackageVersion[];
  environments: readonly Environment[];
  presets: readonly Preset[];
  definition: PlaybookForm | undefined;
  definitionError: unknown;
  definitionLoading: boolean;
  lower: ReadonlyMap<string, Lower>;
  given: ReadonlyMap<string, Given>;
  hidden: ReadonlySet<string>;
}

export function useLaunchContext(form: LaunchForm): LaunchContext {
  const ofPlaybook = form.kind === "playbook" && form.playbook !== "";
  // While somebody chooses, the list is not to change under them by itself.
  const library = useQuery({ ...libraryQuery, refetchInterval: false });
  const playbook = ofPlaybook ? library.data?.data.find((known) => known.id === form.playbook) : undefined;
  const versions = useQuery({
    ...versionsQuery(playbook?.package_id ?? "", playbook?.version ?? undefined),
    enabled: playbook !== undefined,
  });
  const versionId = form.versionId === "" ? (playbook?.version ?? "") : form.versionId;
  const definition = useQuery({
    ...playbookFormQuery(form.playbook, versionId),
    enabled: ofPlaybook && versionId !== "",
  });
  const environments = useQuery({ ...environmentsQuery, enabled: form.kind === "playbook" });
  const presets = useQuery({ ...presetsQuery(form.playbook), enabled: ofPlaybook });
  const lower = lowerValues(
    environments.data?.data.find((known) => known.id === form.environmentId),
    presets.data?.data.find((known) => known.id === form.presetId),
  );
  const given = givenAnswers(form, lower);
  const shown = ofPlaybook ? definition.data : undefined;
  return {
    playbook,
    versions: playbook === undefined ? [] : (versions.data ?? []),
    environments: environments.data?.data ?? [],
    presets: ofPlaybook ? (presets.data?.data ?? []) : [],
    definition: shown,
    definitionError: definition.isLoadingError ? definition.error : null,
    definitionLoading: definition.isLoading,
    lower,
    given,
    hidden: hiddenFields(shown, given),
  };
}
