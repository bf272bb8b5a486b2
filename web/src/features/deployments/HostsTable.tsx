import {
  createColumnHelper,
  flexRender,
  functionalUpdate,
  getCoreRowModel,
  getSortedRowModel,
  useReactTable,
  type SortingState,
} from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState } from "react";

import { rowKey } from "@/api/stream";
import type { DeploymentServer } from "@/api/types";
import { isTyping } from "@/components/isTyping";
import { Duration } from "@/components/Time";
import { firstLine } from "@/format/words";
import { compareHosts, compareStatus, nextFailure, rowDuration } from "./hostRows";
import { StatusLabel } from "./StatusLabel";

const ROW_HEIGHT = 34;
const column = createColumnHelper<DeploymentServer>();

function Count({ value, colour }: { value: number; colour: string }) {
  return <span className={value > 0 ? `${colour} font-medium` : "text-faint"}>{value}</span>;
}

/** As wide as the word at the head and an arrow beside it. */
const WIDTHS = { ok: 40, changed: 72, failed: 56, skipped: 70, rescued: 70, ignored: 68, unreachable: 74 };

const COLUMNS = [
  column.accessor("host", {
    header: "Host",
    size: 130,
    sortingFn: (a, b) => compareHosts(a.original, b.original),
    cell: (cell) => <span className="truncate font-medium">{cell.getValue()}</span>,
  }),
  column.accessor("slice", {
    header: "Slice",
    size: 56,
    cell: (cell) => <span className="text-soft">{cell.getValue() + 1}</span>,
  }),
  column.accessor("status", {
    header: "Status",
    size: 116,
    sortingFn: (a, b) => compareStatus(a.original, b.original),
    cell: (cell) => <StatusLabel status={cell.getValue()} />,
  }),
  column.accessor((row) => row.current_task ?? "", {
    id: "task",
    header: "Current task",
    size: 150,
    cell: (cell) => (
      <span className="text-soft truncate" title={cell.getValue()}>
        {cell.getValue()}
      </span>
    ),
  }),
  ...(
    [
      ["ok", "ok", "ok", "text-success"],
      ["changed", "changed_count", "changed", "text-changed"],
      ["failed", "failed", "failed", "text-failed"],
      ["skipped", "skipped", "skipped", "text-skipped"],
      ["rescued", "rescued", "rescued", "text-cancelled"],
      ["ignored", "ignored", "ignored", "text-unreachable"],
      ["unreachable", "unreachable", "unreach.", "text-unreachable"],
    ] as const
  ).map(([id, field, header, colour]) =>
    column.accessor((row) => row[field], {
      id,
      header,
      size: WIDTHS[id],
      sortDescFirst: true,
      cell: (cell) => <Count value={cell.getValue()} colour={colour} />,
    }),
  ),
  column.accessor((row) => rowDuration(row, Date.now()), {
    id: "duration",
    header: "Duration",
    size: 74,
    sortDescFirst: true,
    cell: ({ row: { original } }) => (
      <Duration started={original.started_at} finished={original.finished_at} />
    ),
  }),
  column.accessor((row) => row.error_message ?? "", {
    id: "error",
    header: "Error",
    size: 220,
    enableSorting: false,
    cell: (cell) => (
      <span className="text-failed truncate" title={cell.getValue()}>
        {firstLine(cell.getValue())}
      </span>
    ),
  }),
];

// Numbers are right-aligned; the error takes most of the room that is left.
const NUMERIC = new Set([
  "slice",
  "ok",
  "changed",
  "failed",
  "skipped",
  "rescued",
  "ignored",
  "unreachable",
  "duration",
]);
const GROWTH = new Map([
  ["host", 1],
  ["task", 2],
  ["error", 6],
]);
/** Left out where there is little room; the host's own panel has them. */
const SPARE = new Set(["rescued", "ignored"]);
const WIDTH = COLUMNS.filter(({ id = "" }) => !SPARE.has(id)).reduce((sum, { size = 0 }) => sum + size, 0);

function cellLayout(id: string, size: number) {
  return {
    className: `items-center overflow-hidden ${SPARE.has(id) ? "hidden @min-[1144px]:flex" : "flex"} ${NUMERIC.has(id) ? "justify-end px-1.5" : "px-2.5"}`,
    style: { flex: `${GROWTH.get(id) ?? 0} 0 ${size}px` },
  };
}

export function HostsTable({
  rows,
  sliced,
  sorting,
  onSort,
  onOpen,
}: {
  rows: DeploymentServer[];
  /** Whether the slice of each host is worth a column. */
  sliced: boolean;
  sorting: SortingState;
  onSort: (sorting: SortingState) => void;
  onOpen: (row: DeploymentServer) => void;
}) {
  const scroller = useRef<HTMLDivElement>(null);
  const [current, setCurrent] = useState<string | null>(null);
  const table = useReactTable({
    data: rows,
    columns: COLUMNS,
    state: { sorting, columnVisibility: { slice: sliced } },
    onSortingChange: (update) => {
      onSort(functionalUpdate(update, sorting));
    },
    enableSortingRemoval: false,
    getRowId: rowKey,
    getCoreRowModel: getCoreRowModel(),
    getSortedRowModel: getSortedRowModel(),
  });
  const sorted = table.getRowModel().rows;
  const virtualizer = useVirtualizer({
    count: sorted.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
  });

  const focusRow = (index: number) => {
    const row = sorted[index];
    if (row === undefined) return;
    setCurrent(row.id);
    virtualizer.scrollToIndex(index, { align: "auto" });
    // The row may only be drawn after the scroll.
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        scroller.current
          ?.querySelector<HTMLElement>(`[data-index="${index}"]`)
          ?.focus({ preventScroll: true });
      }),
    );
  };
  const goToFailure = () => {
    const order = sorted.map((row) => row.original);
    const at = order.findIndex((row) => rowKey(row) === current);
    const next = nextFailure(order, at);
    if (next !== -1) focusRow(next);
  };
  const onKey = useRef(goToFailure);
  useEffect(() => {
    onKey.current = goToFailure;
  });
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.key !== "f" || event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
      event.preventDefault();
      onKey.current();
    };
    document.addEventListener("keydown", listen);
    return () => {
      document.removeEventListener("keydown", listen);
    };
  }, []);

  return (
    <div ref={scroller} className="@container max-h-[max(20rem,calc(100dvh-23rem))] overflow-auto">
      <div role="table" aria-label="Hosts" aria-rowcount={sorted.length + 1} style={{ minWidth: WIDTH }}>
        <div role="rowgroup" className="bg-surface sticky top-0 z-10">
          {table.getHeaderGroups().map((group) => (
            <div key={group.id} role="row" aria-rowindex={1} className="border-line flex h-8 border-b">
              {group.headers.map((header) => {
                const { id } = header.column;
                const direction = header.column.getIsSorted();
                const name = flexRender(header.column.columnDef.header, header.getContext());
                return (
                  <div
                    key={id}
                    role="columnheader"
                    aria-sort={
                      direction === false ? "none" : direction === "asc" ? "ascending" : "descending"
                    }
                    {...cellLayout(id, header.getSize())}
                  >
                    {header.column.getCanSort() ? (
                      <button
                        type="button"
                        onClick={header.column.getToggleSortingHandler()}
                        className="text-faint hover:text-ink text-xs font-medium whitespace-nowrap"
                      >
                        {name}
                        <span aria-hidden="true">
                          {direction === "asc" ? " ↑" : direction === "desc" ? " ↓" : ""}
                        </span>
                      </button>
                    ) : (
                      <span className="text-faint text-xs font-medium">{name}</span>
                    )}
                  </div>
                );
              })}
            </div>
          ))}
        </div>
        <div role="rowgroup" className="relative" style={{ height: virtualizer.getTotalSize() }}>
          {virtualizer.getVirtualItems().map((item) => {
            const row = sorted[item.index];
            if (row === undefined) return null;
            return (
              <div
                key={row.id}
                role="row"
                tabIndex={0}
                aria-rowindex={item.index + 2}
                data-index={item.index}
                onClick={() => {
                  onOpen(row.original);
                }}
                onFocus={() => {
                  setCurrent(row.id);
                }}
                onKeyDown={(event) => {
                  if (event.key === "Enter") onOpen(row.original);
                  else if (event.key === "ArrowDown") focusRow(item.index + 1);
                  else if (event.key === "ArrowUp") focusRow(item.index - 1);
                  else return;
                  event.preventDefault();
                }}
                className={`border-line absolute inset-x-0 top-0 flex cursor-pointer border-b text-sm -outline-offset-2 ${row.id === current ? "bg-accent-tint" : "hover:bg-hover"}`}
                style={{ height: ROW_HEIGHT, transform: `translateY(${item.start}px)` }}
              >
                {row.getVisibleCells().map((cell) => (
                  <div key={cell.id} role="cell" {...cellLayout(cell.column.id, cell.column.getSize())}>
                    {flexRender(cell.column.columnDef.cell, cell.getContext())}
                  </div>
                ))}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}
