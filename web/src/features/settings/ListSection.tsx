import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { Button } from "@/components/Button";
import type { IconName } from "@/components/Icon";
import { EmptyState, ErrorNotice, Loading } from "@/components/Notice";

/** A section of the settings that is a list. */
export function ListSection<T>({
  title,
  about,
  what,
  query,
  icon,
  empty,
  add,
  onAdd,
  children,
}: {
  title: string;
  about: string;
  /** What the list holds, as in "no tokens yet". */
  what: string;
  query: UseQueryResult<T[] | { data: T[] }>;
  icon: IconName;
  /** What to do while it is empty. */
  empty: ReactNode;
  /** The button; undefined for whoever may not add. */
  add: string | undefined;
  onAdd: () => void;
  children: (all: readonly T[]) => ReactNode;
}) {
  const all = Array.isArray(query.data) ? query.data : query.data?.data;
  return (
    <section aria-label={title}>
      <div className="mb-2 flex flex-wrap items-end justify-between gap-2">
        <div className="max-w-prose">
          <h2 className="text-base font-semibold">{title}</h2>
          <p className="text-soft text-sm">{about}</p>
        </div>
        {add !== undefined && (
          <Button icon="plus" onClick={onAdd}>
            {add}
          </Button>
        )}
      </div>
      <div className="panel overflow-hidden">
        {query.isPending && <Loading what={what} />}
        {query.isError && (
          <ErrorNotice
            className="m-3"
            title={`The ${what} could not be read`}
            error={query.error}
            onRetry={() => void query.refetch()}
          />
        )}
        {all !== undefined &&
          (all.length === 0 ? (
            <EmptyState icon={icon} title={`No ${what} yet`}>
              {empty}
            </EmptyState>
          ) : (
            children(all)
          ))}
      </div>
    </section>
  );
}
