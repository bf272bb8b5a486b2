import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";

import { serversQuery, serverTagsQuery } from "@/api/queries";
import type { Server } from "@/api/types";
import { Button, ButtonLink } from "@/components/Button";
import { EmptyState, ErrorNotice, Loading } from "@/components/Notice";
import { PageHeader, Pager } from "@/components/Page";
import { SearchBox } from "@/components/SearchBox";
import { TagToggles } from "@/components/TagToggles";
import { useTitle } from "@/components/useTitle";
import { usePermissions } from "@/features/session/usePermissions";
import { plural } from "@/format/numbers";
import { DeleteServerDialog } from "./DeleteServerDialog";
import { ImportServersDialog } from "./ImportServersDialog";
import { ServerFormDialog } from "./ServerFormDialog";
import { ServerPanel } from "./ServerPanel";
import { ServersTable } from "./ServersTable";

const route = getRouteApi("/app/servers");
const PER_PAGE = 50;

export function ServersPage() {
  useTitle("Servers");
  const { server: opened, ...filters } = route.useSearch();
  const navigate = route.useNavigate();
  const { operate } = usePermissions();
  const servers = useQuery(serversQuery({ ...filters, page: filters.page ?? 1, per_page: PER_PAGE }));
  const [opening, setOpening] = useState<"add" | "import" | null>(null);
  const [selected, setSelected] = useState<ReadonlyMap<string, Server>>(new Map());
  const [deleting, setDeleting] = useState(false);

  const change = (changes: Partial<typeof filters>) =>
    void navigate({ search: (old) => ({ ...old, page: undefined, ...changes }), replace: true });
  const open = (id: string | undefined) => void navigate({ search: (old) => ({ ...old, server: id }) });
  const filtered = Boolean(filters.search ?? filters.tag ?? filters.status);
  const add = operate && (
    <>
      <Button
        icon="download"
        onClick={() => {
          setOpening("import");
        }}
      >
        Import
      </Button>
      <Button
        variant="primary"
        icon="plus"
        onClick={() => {
          setOpening("add");
        }}
      >
        Add server
      </Button>
    </>
  );

  return (
    <>
      <PageHeader
        title="Servers"
        detail={servers.data && `${plural(servers.data.meta.total, "server")}${filtered ? " match" : ""}`}
        actions={add}
      />
      <div className="panel overflow-hidden">
        <Filters filters={filters} onChange={change} />
        {selected.size > 0 && (
          <div
            role="status"
            className="bg-accent-tint border-line flex flex-wrap items-center gap-2 border-b px-3 py-2"
          >
            <span className="text-sm font-medium">{plural(selected.size, "server")} selected</span>
            <span className="flex-1" />
            {operate && (
              <>
                <ButtonLink
                  small
                  variant="primary"
                  to="/deployments/new"
                  search={{ servers: [...selected.keys()] }}
                >
                  Deploy to selected
                </ButtonLink>
                <Button
                  small
                  icon="trash"
                  onClick={() => {
                    setDeleting(true);
                  }}
                >
                  Delete
                </Button>
              </>
            )}
            <Button
              small
              variant="quiet"
              onClick={() => {
                setSelected(new Map());
              }}
            >
              Clear selection
            </Button>
          </div>
        )}
        {servers.isPending && <Loading what="servers" />}
        {servers.isError && (
          <ErrorNotice
            className="m-3"
            title="The servers could not be read"
            error={servers.error}
            onRetry={() => void servers.refetch()}
          />
        )}
        {servers.data &&
          (servers.data.data.length > 0 ? (
            <>
              <ServersTable
                servers={servers.data.data}
                selected={selected}
                onSelect={setSelected}
                sort={filters.sort ?? "hostname"}
                onSort={(sort) => {
                  change({ sort: sort === "hostname" ? undefined : sort });
                }}
                onOpen={open}
              />
              <Pager
                meta={servers.data.meta}
                onPage={(page) => {
                  change({ page: page > 1 ? page : undefined });
                }}
              />
            </>
          ) : filtered ? (
            <EmptyState
              icon="search"
              title="No server matches"
              action={
                <Button
                  onClick={() => {
                    change({ search: undefined, tag: undefined, status: undefined });
                  }}
                >
                  Clear filters
                </Button>
              }
            >
              Try fewer words or another tag.
            </EmptyState>
          ) : (
            <EmptyState icon="servers" title="No servers yet" action={add}>
              Register the machines you want to deploy to: an SSH address, a user, and the key that opens it.
            </EmptyState>
          ))}
      </div>
      {opening === "add" && (
        <ServerFormDialog
          onClose={() => {
            setOpening(null);
          }}
        />
      )}
      {opening === "import" && (
        <ImportServersDialog
          onClose={() => {
            setOpening(null);
          }}
        />
      )}
      {deleting && (
        <DeleteServerDialog
          servers={[...selected.values()]}
          onClose={() => {
            setDeleting(false);
          }}
          onDeleted={() => {
            setSelected(new Map());
          }}
        />
      )}
      {opened !== undefined && (
        <ServerPanel
          id={opened}
          onClose={() => {
            open(undefined);
          }}
        />
      )}
    </>
  );
}

interface FilterValues {
  search?: string | undefined;
  tag?: string[] | undefined;
  status?: "active" | "inactive" | undefined;
}

function Filters({
  filters,
  onChange,
}: {
  filters: FilterValues;
  onChange: (changes: FilterValues) => void;
}) {
  const tags = useQuery(serverTagsQuery);
  return (
    <div className="border-line flex flex-wrap items-center gap-2 border-b p-3">
      <SearchBox
        label="Search servers"
        value={filters.search ?? ""}
        onChange={(search) => {
          onChange({ search: search || undefined });
        }}
        className="min-w-44 flex-1 sm:max-w-xs"
      />
      <select
        aria-label="Status"
        className="control w-auto!"
        value={filters.status ?? ""}
        onChange={(event) => {
          onChange({ status: (event.target.value || undefined) as FilterValues["status"] });
        }}
      >
        <option value="">Any status</option>
        <option value="active">active</option>
        <option value="inactive">inactive</option>
      </select>
      <TagToggles
        tags={tags.data?.data ?? []}
        chosen={filters.tag ?? []}
        onChange={(tag) => {
          onChange({ tag: tag.length === 0 ? undefined : tag });
        }}
      />
    </div>
  );
}
