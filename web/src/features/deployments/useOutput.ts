import { useReducer, useRef, useState } from "react";

import { api, withQuery } from "@/api/client";
import type { OutputPage } from "@/api/types";
import { appendOutput, EMPTY_LOG } from "./logLines";
import { useReadOn } from "./useReadOn";

/** The log of a deployment, read from its beginning; reads on whenever `outputBytes` says there is more. */
export function useOutput(id: string, outputBytes: number) {
  const [log, append] = useReducer(appendOutput, EMPTY_LOG);
  const [removedBytes, setRemovedBytes] = useState(0);
  const cursor = useRef(0);
  const state = useReadOn(outputBytes, async (signal) => {
    for (;;) {
      const from = cursor.current;
      const page = await api.get<OutputPage>(withQuery(`/api/deployments/${id}/output`, { after: from }), {
        signal,
      });
      if (signal.aborted) return;
      setRemovedBytes(page.removed_bytes);
      append(page.data.map((chunk) => chunk.text).join(""));
      cursor.current = page.next_after ?? page.total_bytes;
      if (page.next_after === null || cursor.current <= from) return;
    }
  });
  return { log, removedBytes, ...state };
}
