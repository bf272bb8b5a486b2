import type { ReactNode } from "react";

import type { PageMeta } from "@/api/types";
import { formatCount } from "@/format/numbers";
import { Button } from "./Button";

export function PageHeader({
  title,
  detail,
  actions,
}: {
  title: ReactNode;
  detail?: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <header className="mb-4 flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
      <div className="min-w-0">
        <h1 className="text-xl font-semibold tracking-tight break-words">{title}</h1>
        {detail !== undefined && <p className="text-soft text-sm">{detail}</p>}
      </div>
      {actions !== undefined && <div className="flex flex-wrap gap-2">{actions}</div>}
    </header>
  );
}

export function Pager({ meta, onPage }: { meta: PageMeta; onPage: (page: number) => void }) {
  const first = meta.total === 0 ? 0 : (meta.current_page - 1) * meta.per_page + 1;
  const last = Math.min(meta.current_page * meta.per_page, meta.total);
  return (
    <nav aria-label="Pages" className="text-soft flex items-center justify-between gap-3 px-3 py-2 text-sm">
      <span>
        {formatCount(first)}–{formatCount(last)} of {formatCount(meta.total)}
      </span>
      {meta.last_page > 1 && (
        <span className="flex gap-2">
          <Button
            small
            disabled={meta.current_page <= 1}
            onClick={() => {
              onPage(meta.current_page - 1);
            }}
          >
            Previous page
          </Button>
          <Button
            small
            disabled={meta.current_page >= meta.last_page}
            onClick={() => {
              onPage(meta.current_page + 1);
            }}
          >
            Following page
          </Button>
        </span>
      )}
    </nav>
  );
}

/** A table that scrolls sideways by itself when the screen is narrow. */
export function TableFrame({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="relative overflow-x-auto">
      <table aria-label={label} className="w-full border-collapse text-sm">
        {children}
      </table>
    </div>
  );
}

export function HeadCell({ children, className = "" }: { children?: ReactNode; className?: string }) {
  return (
    <th
      scope="col"
      className={`text-faint border-line border-b px-3 py-2 text-left text-xs font-medium whitespace-nowrap ${className}`}
    >
      {children}
    </th>
  );
}

export function Cell({ children, className = "" }: { children?: ReactNode; className?: string }) {
  return <td className={`border-line border-b px-3 py-2 align-middle ${className}`}>{children}</td>;
}

/** A part of a page under its heading. */
export function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <h2 className="mb-2 font-semibold">{title}</h2>
      {children}
    </section>
  );
}

/** Label and value pairs. */
export function Facts({ children }: { children: ReactNode }) {
  return (
    <dl className="grid grid-cols-[minmax(7rem,auto)_1fr] gap-x-4 gap-y-1.5 text-sm max-sm:grid-cols-1 max-sm:gap-y-0">
      {children}
    </dl>
  );
}

export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-faint">{name}</dt>
      <dd className="min-w-0 break-words max-sm:mb-2">{children}</dd>
    </>
  );
}
