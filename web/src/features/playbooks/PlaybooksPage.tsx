import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";

import { libraryQuery } from "@/api/playbookQueries";
import { Button, ButtonLink } from "@/components/Button";
import { EmptyState, ErrorNotice, Loading } from "@/components/Notice";
import { PageHeader } from "@/components/Page";
import { SearchBox } from "@/components/SearchBox";
import { useTitle } from "@/components/useTitle";
import { usePermissions } from "@/features/session/usePermissions";
import { plural } from "@/format/numbers";
import { groupPlaybooks, matches, ORIGINS } from "./library";
import { PlaybookList } from "./PlaybookList";
import { DropTarget } from "./upload/DropTarget";
import { UploadDialog } from "./upload/UploadDialog";

const route = getRouteApi("/app/playbooks/");

export function PlaybooksPage() {
  useTitle("Playbooks");
  const { search, origin } = route.useSearch();
  const navigate = route.useNavigate();
  const { operate } = usePermissions();
  const library = useQuery(libraryQuery);
  // Undefined: no dialog; null: one that asks for a file.
  const [upload, setUpload] = useState<File | null | undefined>(undefined);
  const all = library.data?.data ?? [];
  const shown = all.filter(
    (playbook) =>
      (origin === undefined || playbook.origin === origin) &&
      (search === undefined || matches(playbook, search)),
  );
  const filtered = search !== undefined || origin !== undefined;
  const change = (changes: { search?: string | undefined; origin?: typeof origin }) =>
    void navigate({ search: (old) => ({ ...old, ...changes }), replace: true });
  const actions = operate && (
    <>
      <ButtonLink to="/projects" search={{ add: true }} icon="branch">
        Add project
      </ButtonLink>
      <Button
        variant="primary"
        icon="upload"
        onClick={() => {
          setUpload(null);
        }}
      >
        Upload
      </Button>
    </>
  );
  return (
    <>
      <PageHeader
        title="Playbooks"
        detail={
          library.data &&
          (filtered
            ? `${plural(shown.length, "match", "matches")} of ${plural(all.length, "playbook")}`
            : plural(all.length, "playbook"))
        }
        actions={
          <>
            <ButtonLink to="/projects" variant="quiet">
              Projects
            </ButtonLink>
            {actions}
          </>
        }
      />
      <div className="panel overflow-hidden">
        <div className="border-line flex flex-wrap gap-2 border-b p-3">
          <SearchBox
            label="Search playbooks"
            value={search ?? ""}
            onChange={(text) => {
              change({ search: text || undefined });
            }}
            className="min-w-44 flex-1 sm:max-w-xs"
          />
          <select
            aria-label="Origin"
            className="control w-auto!"
            value={origin ?? ""}
            onChange={(event) => {
              change({ origin: ORIGINS.find((known) => known.origin === event.target.value)?.origin });
            }}
          >
            <option value="">Any origin</option>
            {ORIGINS.map((known) => (
              <option key={known.origin} value={known.origin}>
                {known.name}
              </option>
            ))}
          </select>
        </div>
        {library.isPending && <Loading what="playbooks" />}
        {library.isError && (
          <ErrorNotice
            className="m-3"
            title="The playbooks could not be read"
            error={library.error}
            onRetry={() => void library.refetch()}
          />
        )}
        {library.data &&
          (shown.length > 0 ? (
            <PlaybookList groups={groupPlaybooks(shown)} operate={operate} />
          ) : filtered ? (
            <EmptyState
              icon="search"
              title="No playbook matches"
              action={
                <Button
                  onClick={() => {
                    change({ search: undefined, origin: undefined });
                  }}
                >
                  Clear filters
                </Button>
              }
            >
              Search looks at names, descriptions, categories, hosts, tags, roles and variables.
            </EmptyState>
          ) : (
            <EmptyState icon="playbooks" title="No playbooks yet" action={actions}>
              Drop a playbook or a packed project here, add a git repository, or put files into the folder
              that Admiral watches.
            </EmptyState>
          ))}
      </div>
      {operate && upload === undefined && <DropTarget onFile={setUpload} />}
      {upload !== undefined && (
        <UploadDialog
          file={upload}
          onClose={() => {
            setUpload(undefined);
          }}
        />
      )}
    </>
  );
}
