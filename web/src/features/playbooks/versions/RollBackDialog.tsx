import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";

import { api } from "@/api/client";
import { diffQuery } from "@/api/playbookQueries";
import type { Package, PackageVersion } from "@/api/types";
import { ConfirmDialog } from "@/components/Dialog";
import { plural } from "@/format/numbers";

const route = getRouteApi("/app/playbooks/$");

/** Makes a new version with the files of an old one. */
export function RollBackDialog({
  of,
  current,
  target,
  onClose,
}: {
  of: Package;
  current: PackageVersion;
  target: PackageVersion;
  onClose: () => void;
}) {
  const client = useQueryClient();
  const navigate = route.useNavigate();
  const diff = useQuery(diffQuery(of.id, current.id, target.id));
  return (
    <ConfirmDialog
      title={`Roll ${of.name} back to version ${target.number}?`}
      action={`Roll back to version ${target.number}`}
      keep={`Keep version ${current.number}`}
      onClose={onClose}
      onConfirm={async () => {
        const made = await api.post<PackageVersion>(`/api/packages/${of.id}/rollback`, {
          version_id: target.id,
          base_version_id: current.id,
          comment: "",
        });
        await client.invalidateQueries({ queryKey: ["packages", of.id] });
        await client.invalidateQueries({ queryKey: ["playbooks"] });
        await navigate({
          search: (old) => ({ ...old, from: current.number, to: made.number }),
          replace: true,
        });
      }}
    >
      <p>
        Version {current.number + 1} is made with the files of version {target.number}, and runs from now on.
        Version {current.number} stays in the list.
      </p>
      {diff.data && (
        <p>
          {diff.data.files.length === 0
            ? "Both have the same files, so nothing would change."
            : `${plural(diff.data.files.length, "file changes", "files change")}: ${diff.data.files
                .slice(0, 10)
                .map((file) => file.path)
                .join(", ")}${diff.data.files.length > 10 ? " and more" : ""}.`}
        </p>
      )}
    </ConfirmDialog>
  );
}
