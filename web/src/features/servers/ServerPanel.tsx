import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "@/api/client";
import { serverQuery } from "@/api/queries";
import type { Server } from "@/api/types";
import { Button, ButtonLink } from "@/components/Button";
import { ConfirmDialog, Dialog } from "@/components/Dialog";
import { ErrorNotice, Loading } from "@/components/Notice";
import { Fact, Facts } from "@/components/Page";
import { Tags } from "@/components/Tag";
import { Time } from "@/components/Time";
import { usePermissions } from "@/features/session/usePermissions";
import { DeleteServerDialog } from "./DeleteServerDialog";
import { ServerFormDialog } from "./ServerFormDialog";
import { ServerStatusLabel } from "./ServerStatusLabel";

/** Everything about one server, beside the list. */
export function ServerPanel({ id, onClose }: { id: string; onClose: () => void }) {
  const server = useQuery(serverQuery(id));
  return (
    <Dialog title={server.data?.hostname ?? "Server"} shape="side" onClose={onClose}>
      {server.isPending && <Loading what="the server" />}
      {server.isError && (
        <ErrorNotice
          title="The server could not be read"
          error={server.error}
          onRetry={() => void server.refetch()}
        />
      )}
      {server.data && <ServerDetails server={server.data} onGone={onClose} />}
    </Dialog>
  );
}

function ServerDetails({ server, onGone }: { server: Server; onGone: () => void }) {
  const { operate } = usePermissions();
  const [open, setOpen] = useState<"edit" | "delete" | null>(null);
  const close = () => {
    setOpen(null);
  };
  return (
    <div className="space-y-6">
      {operate && (
        <div className="flex flex-wrap gap-2">
          <ButtonLink
            to="/deployments/new"
            search={{ servers: [server.id] }}
            variant="primary"
            icon="deployments"
          >
            Deploy to this server
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
            Delete
          </Button>
        </div>
      )}
      <Facts>
        <Fact name="Name">{server.name}</Fact>
        <Fact name="Status">
          <ServerStatusLabel status={server.status} />
        </Fact>
        <Fact name="SSH">
          <code className="text-xs">
            {server.ssh_username}@{server.ssh_host}:{server.ssh_port}
          </code>
        </Fact>
        <Fact name="Private key">
          {server.private_key === null ? (
            <span className="text-faint">none</span>
          ) : (
            <>
              {server.private_key.name}{" "}
              <code className="text-faint text-xs break-all">{server.private_key.fingerprint}</code>
            </>
          )}
        </Fact>
        <Fact name="Tags">
          <Tags tags={server.tags} />
        </Fact>
        <Fact name="System">
          {[server.distro, server.architecture].filter((part) => part !== null).join(" · ") || "–"}
        </Fact>
        <Fact name="Last seen">
          {server.last_seen_at === null ? (
            <span className="text-faint">never reached yet</span>
          ) : (
            <Time value={server.last_seen_at} />
          )}
        </Fact>
        <Fact name="Added">
          <Time value={server.created_at} />
        </Fact>
        {Object.keys(server.metadata).length > 0 && (
          <Fact name="Host variables">
            <pre className="bg-sunken overflow-x-auto rounded-md p-2 text-xs">
              {JSON.stringify(server.metadata, null, 2)}
            </pre>
          </Fact>
        )}
      </Facts>
      <HostKeys server={server} />
      {open === "edit" && <ServerFormDialog server={server} onClose={close} />}
      {open === "delete" && <DeleteServerDialog servers={[server]} onClose={close} onDeleted={onGone} />}
    </div>
  );
}

function HostKeys({ server }: { server: Server }) {
  const { operate } = usePermissions();
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  return (
    <section aria-label="Host keys">
      <div className="mb-2 flex items-center justify-between gap-2">
        <h2 className="font-semibold">Host keys</h2>
        {operate && server.host_keys.length > 0 && (
          <Button
            small
            onClick={() => {
              setAsking(true);
            }}
          >
            Forget host keys
          </Button>
        )}
      </div>
      {server.host_keys.length === 0 ? (
        <p className="text-soft text-sm">
          None known. The first successful contact stores the keys this server shows, and from then on only
          they are trusted.
        </p>
      ) : (
        <ul className="border-line divide-line divide-y rounded-md border">
          {server.host_keys.map((key) => (
            <li key={key.id} className="px-3 py-2 text-sm">
              <span className="font-medium">{key.key_type}</span>
              <code className="block text-xs break-all">{key.fingerprint}</code>
              <span className="text-faint text-xs">
                first seen <Time value={key.first_seen_at} />
              </span>
            </li>
          ))}
        </ul>
      )}
      {asking && (
        <ConfirmDialog
          title={`Forget the host keys of ${server.hostname}?`}
          action="Forget host keys"
          onClose={() => {
            setAsking(false);
          }}
          onConfirm={async () => {
            await api.delete(`/api/servers/${server.id}/host-keys`);
            await client.invalidateQueries({ queryKey: ["servers"] });
          }}
        >
          <p>
            The next contact trusts whatever key the machine at {server.ssh_host} shows. Do this only when you
            know why the key changed, for example after a reinstallation.
          </p>
        </ConfirmDialog>
      )}
    </section>
  );
}
