import { getRouteApi } from "@tanstack/react-router";
import { useMemo } from "react";

import { isEnded } from "@/api/stream";
import type { Deployment, DeploymentServer } from "@/api/types";
import { Button } from "@/components/Button";
import { EmptyState, Loading } from "@/components/Notice";
import { SearchBox } from "@/components/SearchBox";
import { plural } from "@/format/numbers";
import { filterRows, sortingOf, parameterOf } from "./hostRows";
import { HostsTable } from "./HostsTable";
import { sliceCount, sliceName } from "./slices";

const route = getRouteApi("/app/deployments/$id");

export function HostsTab({
  deployment,
  rows,
  loaded,
}: {
  deployment: Deployment;
  rows: ReadonlyMap<string, DeploymentServer>;
  loaded: boolean;
}) {
  const { status, search = "", sort, slice } = route.useSearch();
  const slices = sliceCount(deployment);
  const navigate = route.useNavigate();
  const passing = useMemo(
    () => filterRows(rows.values(), { status: status ?? [], search, slice }),
    [rows, status, search, slice],
  );
  const sorting = useMemo(() => sortingOf(sort), [sort]);
  const clear = () =>
    void navigate({
      search: (old) => ({ ...old, status: undefined, search: undefined, slice: undefined }),
      replace: true,
    });

  if (!loaded && rows.size === 0) return <Loading what="hosts" />;
  if (rows.size === 0)
    return (
      <EmptyState icon="servers" title="No hosts">
        {isEnded(deployment)
          ? "The run ended before any host was known. The log says why."
          : "Hosts appear here as soon as the run begins."}
      </EmptyState>
    );
  const filtered = passing.length !== rows.size;
  return (
    <>
      <div className="border-line flex flex-wrap items-center gap-x-3 gap-y-2 border-b p-3">
        <SearchBox
          label="Search hosts"
          value={search}
          onChange={(text) =>
            void navigate({ search: (old) => ({ ...old, search: text || undefined }), replace: true })
          }
          className="min-w-44 flex-1 sm:max-w-xs"
        />
        {slices > 1 && (
          <select
            aria-label="Slice"
            className="control w-auto!"
            value={slice ?? ""}
            onChange={(event) =>
              void navigate({
                search: (old) => ({
                  ...old,
                  slice: event.target.value === "" ? undefined : Number(event.target.value),
                }),
                replace: true,
              })
            }
          >
            <option value="">All {slices} slices</option>
            {Array.from({ length: slices }, (_, index) => (
              <option key={index} value={index}>
                {sliceName(index)}
              </option>
            ))}
          </select>
        )}
        <span role="status" className="text-soft text-sm">
          {filtered ? `${plural(passing.length, "host")} of ${rows.size}` : plural(rows.size, "host")}
        </span>
        {filtered && (
          <Button small variant="quiet" onClick={clear}>
            Clear filters
          </Button>
        )}
      </div>
      {passing.length === 0 ? (
        <EmptyState
          icon="search"
          title="No host matches"
          action={<Button onClick={clear}>Clear filters</Button>}
        >
          None of the {plural(rows.size, "host")} has this status and text right now.
        </EmptyState>
      ) : (
        <HostsTable
          rows={passing}
          sliced={slices > 1}
          sorting={sorting}
          onSort={(next) =>
            void navigate({ search: (old) => ({ ...old, sort: parameterOf(next) }), replace: true })
          }
          onOpen={(row) =>
            void navigate({
              search: (old) => ({ ...old, host: row.host, of: slices > 1 ? row.slice : undefined }),
            })
          }
        />
      )}
    </>
  );
}
