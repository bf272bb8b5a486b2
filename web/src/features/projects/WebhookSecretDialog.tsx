import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "@/api/client";
import type { Project } from "@/api/pending";
import { Button } from "@/components/Button";
import { CopyBox } from "@/components/Copy";
import { Dialog, DialogActions } from "@/components/Dialog";
import { ErrorNotice } from "@/components/Notice";
import { randomSecret } from "./projectForm";

/** Makes the secret that a webhook's calls are signed with, and shows it once. */
export function WebhookSecretDialog({ project, onClose }: { project: Project; onClose: () => void }) {
  const client = useQueryClient();
  const [secret] = useState(randomSecret);
  const save = useMutation({
    mutationFn: () => api.patch<Project>(`/api/projects/${project.id}`, { webhook_secret: secret }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["projects"] }),
  });
  return (
    <Dialog title={`Webhook secret of ${project.name}`} onClose={onClose}>
      {save.data === undefined ? (
        <>
          <p className="text-soft text-sm">
            A new secret is made and shown once.
            {project.has_webhook_secret &&
              " Calls that are signed with the old one are refused from then on."}
          </p>
          {save.isError && <ErrorNotice className="mt-3" title="Not saved" error={save.error} />}
          <DialogActions>
            <Button onClick={onClose}>Cancel</Button>
            <Button
              variant="primary"
              busy={save.isPending}
              onClick={() => {
                save.mutate();
              }}
            >
              Make secret
            </Button>
          </DialogActions>
        </>
      ) : (
        <>
          <p className="text-soft mb-2 text-sm">
            Copy it into the repository's webhook now: it is not shown again.
          </p>
          <CopyBox text={secret} what="webhook secret" />
          <DialogActions>
            <Button variant="primary" onClick={onClose}>
              Done
            </Button>
          </DialogActions>
        </>
      )}
    </Dialog>
  );
}
