import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { allServersQuery, serversQuery } from "@/api/queries";
import type { Server } from "@/api/types";
import { Button, ButtonLink } from "@/components/Button";
import { Checkbox } from "@/components/Field";
import { EmptyState, ErrorNotice, Loading } from "@/components/Notice";
import { Cell, HeadCell, Pager, TableFrame } from "@/components/Page";
import { SearchBox } from "@/components/SearchBox";
import { Tags } from "@/components/Tag";
import { formatCount, plural } from "@/format/numbers";

const PER_PAGE = 25;

export function ServerPicker({
  selected,
  onChange,
}: {
  selected: readonly string[];
  onChange: (ids: string[]) => void;
}) {
  const client = useQueryClient();
  const [search, setSearch] = useState("");
  const [page, setPage] = useState(1);
  const [selecting, setSelecting] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const servers = useQuery(serversQuery({ search, page, per_page: PER_PAGE }));
  const chosen = new Set(selected);
  const toggle = (some: readonly Server[], on: boolean) => {
    const next = new Set(selected);
    for (const server of some) {
      if (on) next.add(server.id);
      else next.delete(server.id);
    }
    onChange([...next]);
  };
  const selectMatching = async () => {
    setSelecting(true);
    setFailure(null);
    try {
      toggle(await client.fetchQuery(allServersQuery({ search })), true);
    } catch (error) {
      setFailure(error);
    }
    setSelecting(false);
  };
  const shown = servers.data?.data ?? [];
  const onPage = shown.filter((server) => chosen.has(server.id)).length;
  const total = servers.data?.meta.total ?? 0;
  return (
    <div className="border-line overflow-hidden rounded-md border">
      <div className="border-line flex flex-wrap items-center gap-2 border-b p-2.5">
        <SearchBox
          label="Search servers"
          value={search}
          onChange={(text) => {
            setSearch(text);
            setPage(1);
          }}
          className="min-w-44 flex-1 sm:max-w-xs"
        />
        <span role="status" className="text-sm font-medium">
          {plural(selected.length, "server")} selected
        </span>
        <span className="flex-1" />
        {total > 0 && (
          <Button small busy={selecting} onClick={() => void selectMatching()}>
            {search === "" ? `Select all ${formatCount(total)}` : `Select all ${formatCount(total)} matching`}
          </Button>
        )}
        {selected.length > 0 && (
          <Button
            small
            variant="quiet"
            onClick={() => {
              onChange([]);
            }}
          >
            Clear selection
          </Button>
        )}
      </div>
      {failure !== null && <ErrorNotice className="m-2.5" title="Not selected" error={failure} />}
      {servers.isPending && <Loading what="servers" />}
      {servers.isError && (
        <ErrorNotice
          className="m-2.5"
          title="The servers could not be read"
          error={servers.error}
          onRetry={() => void servers.refetch()}
        />
      )}
      {servers.data &&
        (shown.length > 0 ? (
          <>
            <TableFrame label="Servers to choose from">
              <thead>
                <tr>
                  <HeadCell className="w-8">
                    <Checkbox
                      label="Select all on this page"
                      checked={onPage === 0 ? false : onPage === shown.length ? true : "indeterminate"}
                      onChange={(on) => {
                        toggle(shown, on);
                      }}
                    />
                  </HeadCell>
                  <HeadCell>Hostname</HeadCell>
                  <HeadCell>Address</HeadCell>
                  <HeadCell>Tags</HeadCell>
                  <HeadCell>Private key</HeadCell>
                </tr>
              </thead>
              <tbody>
                {shown.map((server) => (
                  <tr key={server.id} className={chosen.has(server.id) ? "bg-accent-tint" : "hover:bg-hover"}>
                    <Cell className="py-1.5!">
                      <Checkbox
                        label={`Select ${server.hostname}`}
                        checked={chosen.has(server.id)}
                        onChange={(on) => {
                          toggle([server], on);
                        }}
                      />
                    </Cell>
                    <Cell className="py-1.5! font-medium">
                      {server.hostname}
                      {server.status === "inactive" && (
                        <span className="text-faint font-normal"> inactive</span>
                      )}
                    </Cell>
                    <Cell className="py-1.5! font-mono text-xs whitespace-nowrap">
                      {server.ssh_host}:{server.ssh_port}
                    </Cell>
                    <Cell className="py-1.5!">
                      <Tags tags={server.tags} />
                    </Cell>
                    <Cell className="py-1.5! whitespace-nowrap">
                      {server.private_key?.name ?? <span className="text-unreachable">no key</span>}
                    </Cell>
                  </tr>
                ))}
              </tbody>
            </TableFrame>
            <Pager meta={servers.data.meta} onPage={setPage} />
          </>
        ) : search !== "" ? (
          <EmptyState icon="search" title="No server matches">
            Try fewer words.
          </EmptyState>
        ) : (
          <EmptyState
            icon="servers"
            title="No servers yet"
            action={<ButtonLink to="/servers">Go to servers</ButtonLink>}
          >
            Register the machines first; then they can be chosen here.
          </EmptyState>
        ))}
    </div>
  );
}
