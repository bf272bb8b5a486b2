import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { api } from "@/api/client";
import type { Finding } from "@/api/types";
import { changesOf, isDirty, type Edits } from "./edits";

/** So long nothing must be typed before the text is looked at. */
const PAUSE_MS = 400;

/** What is found in the package with the edits in it; renewed after every pause in typing. Undefined before the first answer. */
export function useCheckedEdits(
  packageId: string,
  entry: string,
  edits: Edits | null,
): { findings: readonly Finding[] | undefined; checking: boolean; error: unknown } {
  const [settled, setSettled] = useState(edits);
  useEffect(() => {
    const timer = setTimeout(() => {
      setSettled(edits);
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [edits]);
  const check = useQuery({
    queryKey: ["check", packageId, entry, settled],
    queryFn: ({ signal }) =>
      api.post<{ data: Finding[] }>(
        `/api/packages/${packageId}/check`,
        { base_version_id: settled?.base, entry, changes: settled === null ? [] : changesOf(settled) },
        { signal },
      ),
    enabled: settled !== null && edits !== null && isDirty(settled),
    placeholderData: keepPreviousData,
    staleTime: Infinity,
    gcTime: 0,
  });
  const shown = edits !== null && isDirty(edits);
  return {
    findings: shown ? check.data?.data : undefined,
    checking: shown && (check.isFetching || settled !== edits),
    error: check.error,
  };
}
