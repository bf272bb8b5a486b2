import { useQueryClient } from "@tanstack/react-query";

import { api } from "@/api/client";
import type { Server } from "@/api/types";
import { ConfirmDialog } from "@/components/Dialog";
import { plural } from "@/format/numbers";

export function DeleteServerDialog({
  servers,
  onClose,
  onDeleted,
}: {
  servers: readonly Pick<Server, "id" | "hostname">[];
  onClose: () => void;
  onDeleted?: () => void;
}) {
  const client = useQueryClient();
  const [only] = servers;
  const what = servers.length === 1 && only !== undefined ? only.hostname : plural(servers.length, "server");
  return (
    <ConfirmDialog
      title={`Delete ${what}?`}
      action={servers.length === 1 ? "Delete server" : `Delete ${what}`}
      onClose={onClose}
      onConfirm={async () => {
        try {
          for (const server of servers) await api.delete(`/api/servers/${server.id}`);
        } finally {
          await client.invalidateQueries({ queryKey: ["servers", "list"] });
          await client.invalidateQueries({ queryKey: ["servers", "tags"] });
        }
        onDeleted?.();
      }}
    >
      <p>
        Admiral forgets {servers.length === 1 ? "it and its host keys" : "them and their host keys"}. Nothing
        changes on the {servers.length === 1 ? "machine" : "machines"}, and finished deployments keep their
        record.
      </p>
      {servers.length > 1 && (
        <p className="max-h-40 overflow-y-auto font-mono text-xs">
          {servers.map((server) => server.hostname).join(", ")}
        </p>
      )}
    </ConfirmDialog>
  );
}
