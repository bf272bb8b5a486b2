import { useMutation, useQueryClient } from "@tanstack/react-query";

import { api } from "@/api/client";
import type { Project } from "@/api/types";
import { Button } from "@/components/Button";
import { ErrorNotice } from "@/components/Notice";

/** Looks at the repository now. */
export function SyncButton({ project, small = false }: { project: Project; small?: boolean }) {
  const client = useQueryClient();
  const sync = useMutation({
    mutationFn: () => api.post<Project>(`/api/projects/${project.id}/sync`, {}),
    onSettled: async () => {
      await client.invalidateQueries({ queryKey: ["projects"] });
      await client.invalidateQueries({ queryKey: ["playbooks"] });
      await client.invalidateQueries({ queryKey: ["packages"] });
    },
  });
  return (
    <span className="inline-flex flex-col items-end gap-1">
      <Button
        small={small}
        icon="retry"
        busy={sync.isPending || project.syncing}
        onClick={() => {
          sync.mutate();
        }}
      >
        Sync now<span className="sr-only"> {project.name}</span>
      </Button>
      {sync.isError && <ErrorNotice title="Not synced" error={sync.error} className="text-left" />}
    </span>
  );
}
