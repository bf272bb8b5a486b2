import type { Server } from "@/api/types";
import { Checkbox } from "@/components/Field";
import { Cell, HeadCell, TableFrame } from "@/components/Page";
import { Tags } from "@/components/Tag";
import { Time } from "@/components/Time";
import { ServerStatusLabel } from "./ServerStatusLabel";

type Selection = ReadonlyMap<string, Server>;

export function ServersTable({
  servers,
  selected,
  onSelect,
  sort,
  onSort,
  onOpen,
}: {
  servers: readonly Server[];
  selected: Selection;
  onSelect: (selected: Selection) => void;
  sort: string;
  onSort: (sort: string) => void;
  onOpen: (id: string) => void;
}) {
  const onPage = servers.filter((server) => selected.has(server.id)).length;
  const toggle = (some: readonly Server[], on: boolean) => {
    const next = new Map(selected);
    for (const server of some) {
      if (on) next.set(server.id, server);
      else next.delete(server.id);
    }
    onSelect(next);
  };
  return (
    <TableFrame label="Servers">
      <thead>
        <tr>
          <HeadCell className="w-8">
            <Checkbox
              label="Select all on this page"
              checked={onPage === 0 ? false : onPage === servers.length ? true : "indeterminate"}
              onChange={(on) => {
                toggle(servers, on);
              }}
            />
          </HeadCell>
          <SortHead name="Hostname" field="hostname" sort={sort} onSort={onSort} />
          <HeadCell>Status</HeadCell>
          <HeadCell>SSH</HeadCell>
          <HeadCell>Tags</HeadCell>
          <HeadCell>Private key</HeadCell>
          <HeadCell>System</HeadCell>
          <HeadCell>Last seen</HeadCell>
          <SortHead name="Added" field="created_at" sort={sort} onSort={onSort} />
        </tr>
      </thead>
      <tbody>
        {servers.map((server) => (
          <tr key={server.id} className="hover:bg-hover">
            <Cell>
              <Checkbox
                label={`Select ${server.hostname}`}
                checked={selected.has(server.id)}
                onChange={(on) => {
                  toggle([server], on);
                }}
              />
            </Cell>
            <Cell>
              <button
                type="button"
                className="font-medium hover:underline"
                onClick={() => {
                  onOpen(server.id);
                }}
              >
                {server.hostname}
              </button>
              {server.name !== server.hostname && (
                <span className="text-faint block max-w-56 truncate text-xs">{server.name}</span>
              )}
            </Cell>
            <Cell>
              <ServerStatusLabel status={server.status} />
            </Cell>
            <Cell className="font-mono text-xs whitespace-nowrap">
              {server.ssh_username}@{server.ssh_host}
              {server.ssh_port !== 22 && `:${server.ssh_port}`}
            </Cell>
            <Cell>
              <Tags tags={server.tags} />
            </Cell>
            <Cell className="whitespace-nowrap">
              {server.private_key?.name ?? <span className="text-unreachable">no key</span>}
            </Cell>
            <Cell className="text-soft whitespace-nowrap">
              {[server.distro, server.architecture].filter((part) => part !== null).join(" · ") || "–"}
            </Cell>
            <Cell className="text-soft">
              {server.last_seen_at === null ? "never" : <Time value={server.last_seen_at} />}
            </Cell>
            <Cell className="text-soft">
              <Time value={server.created_at} />
            </Cell>
          </tr>
        ))}
      </tbody>
    </TableFrame>
  );
}

function SortHead({
  name,
  field,
  sort,
  onSort,
}: {
  name: string;
  field: string;
  sort: string;
  onSort: (sort: string) => void;
}) {
  const direction = sort === field ? "ascending" : sort === `-${field}` ? "descending" : "none";
  return (
    <th
      scope="col"
      aria-sort={direction}
      className="border-line border-b px-3 py-2 text-left text-xs font-medium"
    >
      <button
        type="button"
        className="text-faint hover:text-ink whitespace-nowrap"
        onClick={() => {
          onSort(direction === "ascending" ? `-${field}` : field);
        }}
      >
        {name}{" "}
        <span aria-hidden="true">
          {direction === "ascending" ? "↑" : direction === "descending" ? "↓" : ""}
        </span>
      </button>
    </th>
  );
}
