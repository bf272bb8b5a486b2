import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "@/api/client";
import type { Project } from "@/api/types";
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
import { WebhookDialog } from "./WebhookDialog";

/** Everything about one project, beside the list. */
export function ProjectPanel({ project, onClose }: { project: Project; onClose: () => void }) {
  const client = useQueryClient();
  const { operate } = usePermissions();
  const [open, setOpen] = useState<
    "edit" | "delete" | "webhook" | "no webhook" | "token" | "host keys" | null
  >(null);
  const close = () => {
    setOpen(null);
  };
  const patch = async (changes: Record<string, unknown>) => {
    await api.patch<Project>(`/api/projects/${project.id}`, changes);
    await client.invalidateQueries({ queryKey: ["projects"] });
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
                a token{project.username !== "" && ` as ${project.username}`}
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
              {operate && (
                <Button
                  small
                  variant="quiet"
                  onClick={() => {
                    setOpen("host keys");
                  }}
                >
                  Forget the host keys
                </Button>
              )}
            </Fact>
          )}
        </Facts>
        <section aria-label="Webhook">
          <h2 className="mb-2 font-semibold">Webhook</h2>
          {kind === undefined ? (
            <p className="text-soft text-sm">None. With one, a push is taken over at once.</p>
          ) : (
            <>
              <p className="text-soft mb-2 text-sm">
                {kind.name}. {kind.hint} Its secret is not shown again. Its address:
              </p>
              <CopyBox
                text={new URL(project.webhook_path, window.location.origin).href}
                what="webhook address"
              />
            </>
          )}
          {operate && (
            <p className="mt-2 flex flex-wrap gap-2">
              <Button
                small
                onClick={() => {
                  setOpen("webhook");
                }}
              >
                {kind === undefined ? "Set up a webhook" : "New kind or secret"}
              </Button>
              {kind !== undefined && (
                <Button
                  small
                  onClick={() => {
                    setOpen("no webhook");
                  }}
                >
                  Remove the webhook
                </Button>
              )}
            </p>
          )}
        </section>
      </div>
      {open === "edit" && <ProjectDialog project={project} onClose={close} />}
      {open === "webhook" && <WebhookDialog project={project} onClose={close} />}
      {open === "no webhook" && (
        <ConfirmDialog
          title={`Remove the webhook of ${project.name}?`}
          action="Remove webhook"
          onClose={close}
          onConfirm={() => patch({ webhook_kind: null, webhook_secret: null })}
        >
          <p>Calls to its address are refused from then on.</p>
        </ConfirmDialog>
      )}
      {open === "host keys" && (
        <ConfirmDialog
          title={`Forget the host keys of ${project.name}?`}
          action="Forget host keys"
          onClose={close}
          onConfirm={() => patch({ forget_host_keys: true })}
        >
          <p>
            The next sync trusts whatever key the host shows. Do this only when you know that the host has a
            new one.
          </p>
        </ConfirmDialog>
      )}
      {open === "token" && (
        <ConfirmDialog
          title={`Forget the token of ${project.name}?`}
          action="Forget token"
          onClose={close}
          onConfirm={() => patch({ token: null })}
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
