import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "@/api/client";
import type { Project, WebhookKind } from "@/api/types";
import { Button } from "@/components/Button";
import { CopyBox } from "@/components/Copy";
import { Dialog, DialogActions } from "@/components/Dialog";
import { SelectField } from "@/components/Field";
import { ErrorNotice } from "@/components/Notice";
import { randomSecret, WEBHOOK_KINDS } from "./projectForm";

/** Sets up a webhook: its kind, and the secret that its calls are signed with, shown once. */
export function WebhookDialog({ project, onClose }: { project: Project; onClose: () => void }) {
  const client = useQueryClient();
  const [secret] = useState(randomSecret);
  const [kind, setKind] = useState<WebhookKind>(project.webhook_kind ?? "generic");
  const save = useMutation({
    mutationFn: () =>
      api.patch<Project>(`/api/projects/${project.id}`, { webhook_kind: kind, webhook_secret: secret }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["projects"] }),
  });
  return (
    <Dialog title={`Webhook of ${project.name}`} onClose={onClose}>
      {save.data === undefined ? (
        <>
          <SelectField
            label="Kind"
            hint={WEBHOOK_KINDS.find((known) => known.kind === kind)?.hint}
            value={kind}
            onChange={(event) => {
              setKind(WEBHOOK_KINDS.find((known) => known.kind === event.target.value)?.kind ?? "generic");
            }}
          >
            {WEBHOOK_KINDS.map((known) => (
              <option key={known.kind} value={known.kind}>
                {known.name}
              </option>
            ))}
          </SelectField>
          <p className="text-soft mt-3 text-sm">
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
              Set up webhook
            </Button>
          </DialogActions>
        </>
      ) : (
        <>
          <p className="text-soft mb-2 text-sm">The address, for the repository's webhook:</p>
          <CopyBox text={new URL(project.webhook_path, window.location.origin).href} what="webhook address" />
          <p className="text-soft mt-3 mb-2 text-sm">
            The secret. Copy it into the repository's webhook now: it is not shown again.
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
