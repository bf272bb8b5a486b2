import { useRef, useState } from "react";

import { api, withQuery } from "@/api/client";
import type { DeploymentEvent, EventPage } from "@/api/types";
import { useReadOn } from "./useReadOn";

const PAGE = 1000;

/** Every event of one host in one slice, or in all, and whether older ones of its deployment were removed; reads on whenever `version` changes. */
export function useHostEvents(id: string, host: string, slice: number | undefined, version: string) {
  const [events, setEvents] = useState<readonly DeploymentEvent[]>([]);
  const [removed, setRemoved] = useState(false);
  const cursor = useRef(0);
  const state = useReadOn(version, async (signal) => {
    for (;;) {
      const path = withQuery(`/api/deployments/${id}/events`, {
        after: cursor.current,
        limit: PAGE,
        host,
        slice,
      });
      const page = await api.get<EventPage>(path, { signal });
      if (signal.aborted) return;
      setRemoved(page.removed_up_to > 0);
      const last = page.data.at(-1);
      if (last === undefined) return;
      cursor.current = last.position;
      setEvents((known) => known.concat(page.data));
      if (page.next_after === null) return;
    }
  });
  return { events, removed, ...state };
}
