import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";

import { libraryQuery, packageQuery, versionsQuery } from "@/api/playbookQueries";
import type { Package, PackageVersion, Playbook } from "@/api/types";
import { ButtonLink } from "@/components/Button";
import { EmptyState, ErrorNotice, Loading, Notice } from "@/components/Notice";
import { Tabs } from "@/components/Tabs";
import { useLeaveGuard } from "@/components/useLeaveGuard";
import { useTitle } from "@/components/useTitle";
import { usePermissions } from "@/features/session/usePermissions";
import { plural } from "@/format/numbers";
import { isDirty, type Edits } from "./files/edits";
import { FilesTab } from "./files/FilesTab";
import { FindingsTab } from "./FindingsTab";
import { FormTab } from "./form/FormTab";
import { OverviewTab } from "./OverviewTab";
import { PlaybookHeader } from "./PlaybookHeader";
import { PresetsTab } from "./presets/PresetsTab";
import { VersionsTab } from "./versions/VersionsTab";

const route = getRouteApi("/app/playbooks/$");

const TABS = [
  { key: "overview", name: "Overview" },
  { key: "files", name: "Files" },
  { key: "versions", name: "Versions" },
  { key: "form", name: "Form" },
  { key: "presets", name: "Presets" },
  { key: "findings", name: "Findings" },
] as const;

export function PlaybookPage() {
  const { _splat: id = "" } = route.useParams();
  return <WatchedPlaybook key={id} id={id} />;
}

/** Reads the playbook again and again. Unsaved work outlives an outage, and the playbook itself. */
function WatchedPlaybook({ id }: { id: string }) {
  const library = useQuery(libraryQuery);
  const known = library.data?.data.find((one) => one.id === id);
  const [last, setLast] = useState(known);
  if (known !== undefined && known !== last) setLast(known);
  const [edits, setEdits] = useState<Edits | null>(null);
  const gone = known === undefined && edits !== null && isDirty(edits);
  const playbook = gone ? last : known;
  const found = useQuery({
    ...packageQuery(playbook?.package_id ?? ""),
    enabled: playbook !== undefined,
  });
  useTitle(playbook?.outline.name ?? id);
  if (library.isPending || (playbook !== undefined && found.isPending))
    return <Loading what="the playbook" />;
  const failed = library.isLoadingError ? library : found.isLoadingError ? found : null;
  if (failed !== null)
    return (
      <ErrorNotice
        title={`${id} could not be read`}
        error={failed.error}
        onRetry={() => void failed.refetch()}
      />
    );
  if (playbook === undefined || found.data === undefined)
    return (
      <EmptyState
        icon="playbooks"
        title="No such playbook"
        action={<ButtonLink to="/playbooks">All playbooks</ButtonLink>}
      >
        {id} is not in the library. It may have been deleted, or renamed.
      </EmptyState>
    );
  return (
    <>
      {gone && (
        <Notice tone="warning" title="It is no longer in the library" className="mb-4">
          Somebody deleted or renamed it while you were editing. What you typed is still here: copy what you
          need before you leave.
        </Notice>
      )}
      <Loaded playbook={playbook} of={found.data} edits={edits} onEdit={setEdits} />
    </>
  );
}

/** What the tabs look at. */
export interface TabProps {
  playbook: Playbook;
  of: Package;
  /** The version that is shown. */
  version: PackageVersion;
  /** Whether the signed-in role may change it. */
  operate: boolean;
}

/** Tabs that change files share the unsaved work. */
export type EditingTabProps = TabProps & {
  edits: Edits | null;
  /** Null: nobody is editing any more. */
  onEdit: (edits: Edits | null) => void;
};

function Loaded({
  playbook,
  of,
  edits,
  onEdit,
}: Pick<EditingTabProps, "playbook" | "of" | "edits" | "onEdit">) {
  const { tab = "overview", version: wanted } = route.useSearch();
  const navigate = route.useNavigate();
  const { operate } = usePermissions();
  const changed = Object.keys(edits?.changes ?? {});
  const guard = useLeaveGuard(
    changed.length > 0,
    "Leave without saving?",
    <>
      <p className="text-soft text-sm">
        Your changes to {plural(changed.length, "file")} are not saved yet and would be lost:
      </p>
      <p className="mt-2 max-h-40 overflow-y-auto font-mono text-xs break-all">{changed.join(", ")}</p>
    </>,
  );
  const current = of.current_version;
  const older = wanted !== undefined && wanted !== current?.number;
  const versions = useQuery({ ...versionsQuery(of.id, current?.id), enabled: older });
  const version = older ? versions.data?.find((known) => known.number === wanted) : (current ?? undefined);
  const props = { playbook, of, operate, edits, onEdit };
  return (
    <>
      <PlaybookHeader playbook={playbook} of={of} version={version} operate={operate} />
      {of.error !== null && (
        <Notice tone="error" title="Its files could not be taken over" className="mb-4">
          {of.error}
        </Notice>
      )}
      {older && (
        <Notice
          tone="info"
          className="mb-4"
          action={
            <ButtonLink
              small
              to="/playbooks/$"
              params={{ _splat: playbook.id }}
              search={{ ...(tab !== "overview" && { tab }) }}
            >
              Show today's
            </ButtonLink>
          }
        >
          This is version {wanted}
          {current !== null && `; today's is version ${current.number}`}.
        </Notice>
      )}
      <Tabs
        label="Playbook"
        tabs={TABS}
        chosen={tab}
        onChoose={(key) =>
          void navigate({
            search: (old) => ({ ...old, tab: key === "overview" ? undefined : key }),
          })
        }
      >
        {version === undefined ? (
          <Missing
            older={older}
            wanted={wanted}
            loading={older && versions.isPending}
            error={versions.error}
          />
        ) : (
          <div className="p-4">
            {tab === "overview" && <OverviewTab {...props} version={version} />}
            {tab === "files" && <FilesTab {...props} version={version} />}
            {tab === "versions" && <VersionsTab {...props} version={version} />}
            {tab === "form" && <FormTab {...props} version={version} />}
            {tab === "presets" && <PresetsTab {...props} version={version} />}
            {tab === "findings" && <FindingsTab {...props} version={version} />}
          </div>
        )}
      </Tabs>
      {guard}
    </>
  );
}

function Missing({
  older,
  wanted,
  loading,
  error,
}: {
  older: boolean;
  wanted: number | undefined;
  loading: boolean;
  error: unknown;
}) {
  if (loading) return <Loading what="the version" />;
  if (error !== null) return <ErrorNotice className="m-4" error={error} />;
  return (
    <EmptyState icon="playbooks" title={older ? `No version ${wanted}` : "No version yet"}>
      {older
        ? "The package has no such version. The Versions tab of today's lists all of them."
        : "Nothing was taken over from its source so far."}
    </EmptyState>
  );
}
