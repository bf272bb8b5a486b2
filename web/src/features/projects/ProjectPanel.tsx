import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "@/api/client";
import type { Project } from "@/api/pending";
import { Button, ButtonLink } from "@/components/Button";
import { CopyBox } from "@/components/Copy";
import { ConfirmDialog, Dialog } from "@/components/Dialog";
import { Fact, Facts } from "@/components/Page";
import { Time } from "@/components/Time";
import { usePermissions } from "@/features/session/usePermissions";
import { formatDuration } from "@/format/time";
import { ProjectDialog } from "./ProjectDialog";
import { WEBHOOK_KINDS } from "./projectForm";
import { ProjectStatus } from "./ProjectStatus";
import { SyncButton } from "./SyncButton";
import { WebhookSecretDialog } from "./WebhookSecretDialog";

/** Everything about one project, beside the list. */
export function ProjectPanel({ project, onClose }: { project: Project; onClose: () => void }) {
  const client = useQueryClient();
  const { operate } = usePermissions();
  const [open, setOpen] = useState<"edit" | "delete" | "secret" | "token" | null>(null);
  const close = () => {
    setOpen(null);
  };
  const kind = WEBHOOK_KINDS.find((known) => known.kind === project.webhook_kind);
  return (
    <Dialog title={project.name} description={<code>{project.url}</code>} shape="side" onClose={onClose}>
      <div className="space-y-6">
        {operate && (
          <div className="flex flex-wrap gap-2">
            <SyncButton project={project} />
            <ButtonLink to="/playbooks" search={{ origin: "project", search: project.name }}>
              Playbooks
            </ButtonLink>
            <Button
              icon="edit"
              onClick={() => {
                setOpen("edit");
              }}
            >
              Edit
            </Button>
            <Button
              icon="trash"
              onClick={() => {
                setOpen("delete");
              }}
            >
              Remove
            </Button>
          </div>
        )}
        <ProjectStatus project={project} />
        <Facts>
          <Fact name="Reference">
            {project.reference === "" ? (
              <span className="text-faint">the repository's default</span>
            ) : (
              <code className="text-xs">{project.reference}</code>
            )}
          </Fact>
          <Fact name="Commit">
            {project.commit_id === null ? (
              <span className="text-faint">none yet</span>
            ) : (
              <code className="text-xs break-all">{project.commit_id}</code>
            )}
          </Fact>
          <Fact name="Last sync">
            {project.synced_at === null ? "never" : <Time value={project.synced_at} exact />}
          </Fact>
          <Fact name="Last attempt">
            {project.attempted_at === null ? "never" : <Time value={project.attempted_at} exact />}
          </Fact>
          <Fact name="Signs in with">
            {project.private_key !== null ? (
              `the key ${project.private_key.name}`
            ) : project.has_token ? (
              <span className="flex flex-wrap items-center gap-2">
                a token{project.username !== null && ` as ${project.username}`}
                {operate && (
                  <Button
                    small
                    variant="quiet"
                    onClick={() => {
                      setOpen("token");
                    }}
                  >
                    Forget the token
                  </Button>
                )}
              </span>
            ) : (
              "nothing"
            )}
          </Fact>
          <Fact name="Submodules">{project.submodules ? "yes" : "no"}</Fact>
          <Fact name="By itself">
            {project.sync_interval_seconds === null
              ? "never"
              : `every ${formatDuration(project.sync_interval_seconds * 1000)}`}
          </Fact>
          <Fact name="Before every launch">{project.sync_before_launch ? "yes" : "no"}</Fact>
          {project.host_keys.length > 0 && (
            <Fact name="Host keys">
              <ul className="font-mono text-xs break-all">
                {project.host_keys.map((key) => (
                  <li key={key}>{key}</li>
                ))}
              </ul>
            </Fact>
          )}
        </Facts>
        <section aria-label="Webhook">
          <h2 className="mb-2 font-semibold">Webhook</h2>
          {kind === undefined ? (
            <p className="text-soft text-sm">
              None. Choose a kind under Edit, so that a push is taken over at once.
            </p>
          ) : (
            <div className="space-y-2">
              <p className="text-soft text-sm">
                {kind.name}. {kind.hint} Its address:
              </p>
              <CopyBox
                text={new URL(project.webhook_path, window.location.origin).href}
                what="webhook address"
              />
              <p className="flex flex-wrap items-center gap-2 text-sm">
                {project.has_webhook_secret
                  ? "A secret is set; it is not shown again."
                  : "Without a secret every call is refused."}
                {operate && (
                  <Button
                    small
                    onClick={() => {
                      setOpen("secret");
                    }}
                  >
                    {project.has_webhook_secret ? "Make a new secret" : "Make a secret"}
                  </Button>
                )}
              </p>
            </div>
          )}
        </section>
      </div>
      {open === "edit" && <ProjectDialog project={project} onClose={close} />}
      {open === "secret" && <WebhookSecretDialog project={project} onClose={close} />}
      {open === "token" && (
        <ConfirmDialog
          title={`Forget the token of ${project.name}?`}
          action="Forget token"
          onClose={close}
          onConfirm={async () => {
            await api.patch<Project>(`/api/projects/${project.id}`, { token: null });
            await client.invalidateQueries({ queryKey: ["projects"] });
          }}
        >
          <p>Without it a private repository can no longer be read.</p>
        </ConfirmDialog>
      )}
      {open === "delete" && (
        <ConfirmDialog
          title={`Remove the project ${project.name}?`}
          action="Remove project"
          onClose={close}
          onConfirm={async () => {
            await api.delete(`/api/projects/${project.id}`);
            await client.invalidateQueries({ queryKey: ["projects"] });
            await client.invalidateQueries({ queryKey: ["playbooks"] });
            onClose();
          }}
        >
          <p>
            Its playbooks leave the library. The repository itself is not touched, and finished deployments
            keep their record.
          </p>
        </ConfirmDialog>
      )}
    </Dialog>
  );
}
