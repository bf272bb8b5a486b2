import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";

import { openEventStream } from "./eventStream";
import { mergeDeployments } from "./mergeDeployments";
import type { Deployment, Page } from "./types";

const REFETCH_DELAY_MS = 400;

/** Keeps every cached list of deployments true while the calling page is open. */
export function useDeploymentsStream(): void {
  const client = useQueryClient();
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const refetchSoon = () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        void client.invalidateQueries({ queryKey: ["deployments", "list"] });
      }, REFETCH_DELAY_MS);
    };
    const close = openEventStream({
      url: () => "/api/stream",
      kinds: ["deployments"],
      onResume: refetchSoon,
      onMessage: (_kind, data) => {
        const { deployments } = JSON.parse(data) as { deployments: Deployment[] };
        let listChanged = false;
        client.setQueriesData<Page<Deployment>>({ queryKey: ["deployments", "list"] }, (page) => {
          if (page === undefined) return page;
          const merged = mergeDeployments(page, deployments);
          listChanged ||= merged.listChanged;
          return merged.page;
        });
        if (listChanged) refetchSoon();
      },
    });
    return () => {
      clearTimeout(timer);
      close();
    };
  }, [client]);
}
