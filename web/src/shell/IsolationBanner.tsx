import { useQuery } from "@tanstack/react-query";

import { workersQuery } from "@/api/queries";
import { Notice } from "@/components/Notice";
import { workersWithout } from "./isolation";

/** Tells an admin on every page that runs are not isolated. */
export function IsolationBanner() {
  const workers = useQuery(workersQuery);
  const { unable, off } = workersWithout(workers.data?.data ?? []);
  return (
    <>
      {unable.length > 0 && (
        <Notice tone="error" className="mb-4" title={`Runs cannot be isolated on ${unable.join(", ")}`}>
          Only built-in playbooks are run there. <code>admiral doctor</code> on that machine says what is
          missing.
        </Notice>
      )}
      {off.length > 0 && (
        <Notice tone="warning" className="mb-4" title={`Isolation is off on ${off.join(", ")}`}>
          Every playbook that runs there can read Admiral's keys and change everything that Admiral can. Start
          that worker without <code>--isolation none</code> to turn it on.
        </Notice>
      )}
    </>
  );
}
