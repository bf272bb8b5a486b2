import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { api } from "@/api/client";
import type { ParsedForm } from "@/api/types";

const PAUSE_MS = 300;

/** The form in a text, as the server reads it; renewed after every pause in typing. Null reads nothing. */
export function useParsedForm(text: string | null): { parsed: ParsedForm | undefined; error: unknown } {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => {
      setSettled(text);
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [text]);
  const parse = useQuery({
    queryKey: ["parsed form", settled],
    queryFn: ({ signal }) => api.post<ParsedForm>("/api/forms/parse", { text: settled }, { signal }),
    enabled: settled !== null && text !== null,
    placeholderData: keepPreviousData,
    staleTime: Infinity,
    gcTime: 0,
  });
  return { parsed: text === null ? undefined : parse.data, error: parse.error };
}
