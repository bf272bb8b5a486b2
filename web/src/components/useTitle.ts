import { useEffect } from "react";

import type { DeploymentStatus } from "@/api/types";
import cancelled from "@/favicons/cancelled.svg";
import completed from "@/favicons/completed.svg";
import failed from "@/favicons/failed.svg";
import idle from "@/favicons/idle.svg";
import running from "@/favicons/running.svg";

const FAVICONS: Record<DeploymentStatus | "idle", string> = {
  idle,
  pending: idle,
  running,
  completed,
  failed,
  cancelled,
};

/** Names the page in the browser's tab; the icon shows the status of the deployment it is about. */
export function useTitle(title: string, status: DeploymentStatus | "idle" = "idle"): void {
  useEffect(() => {
    document.title = `${title} · Admiral`;
    document.querySelector<HTMLLinkElement>("link[rel=icon]")?.setAttribute("href", FAVICONS[status]);
  }, [title, status]);
}
