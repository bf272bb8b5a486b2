import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";

import { api } from "@/api/client";
import { filesQuery } from "@/api/playbookQueries";
import type { Package, PackageVersion, Playbook } from "@/api/types";
import { Button } from "@/components/Button";
import { Dialog, DialogActions } from "@/components/Dialog";
import { CheckboxField } from "@/components/Field";
import { ErrorNotice, Loading } from "@/components/Notice";

const route = getRouteApi("/app/playbooks/$");
/** Folders of a project whose YAML is never a playbook. */
const NO_PLAYBOOKS = /(^|\/)(roles|group_vars|host_vars|collections|templates|files|vars|tasks)\//;

/** Says which files of a package are its playbooks. */
export function EntryPointsDialog({
  playbook,
  of,
  current,
  onClose,
}: {
  playbook: Playbook;
  of: Package;
  current: PackageVersion;
  onClose: () => void;
}) {
  const client = useQueryClient();
  const navigate = route.useNavigate();
  const files = useQuery(filesQuery(of.id, current.id));
  const [chosen, setChosen] = useState<ReadonlySet<string>>(() => new Set(of.entry_points));
  const save = useMutation({
    mutationFn: () => api.patch<Package>(`/api/packages/${of.id}`, { entry_points: [...chosen].sort() }),
    onSuccess: async (changed) => {
      await client.invalidateQueries({ queryKey: ["packages", of.id] });
      await client.invalidateQueries({ queryKey: ["playbooks"] });
      onClose();
      // This one may have left the library.
      const [first] = changed.entry_points;
      if (!changed.entry_points.includes(playbook.entry_path) && first !== undefined)
        await navigate({ to: "/playbooks/$", params: { _splat: `custom/${of.name}/${first}` } });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  const candidates = [
    ...new Set([
      ...of.entry_points,
      ...(files.data?.data ?? [])
        .map((file) => file.path)
        .filter((path) => /\.ya?ml$/i.test(path) && !/\.form\.yml$/.test(path) && !NO_PLAYBOOKS.test(path)),
    ]),
  ].sort((a, b) => a.localeCompare(b));
  return (
    <Dialog
      title={`Playbooks of ${of.name}`}
      description="Those that people launch; all other files stay part of the package."
      onClose={onClose}
    >
      {files.isPending && <Loading what="the files" />}
      {files.isError && <ErrorNotice title="The files could not be read" error={files.error} />}
      {files.data && (
        <form onSubmit={submit}>
          {save.isError && <ErrorNotice className="mb-3" title="Not saved" error={save.error} />}
          <ul className="border-line divide-line max-h-80 divide-y overflow-y-auto rounded-md border">
            {candidates.map((path) => (
              <li key={path} className="px-3 py-2">
                <CheckboxField
                  label={path}
                  checked={chosen.has(path)}
                  onChange={(on) => {
                    const next = new Set(chosen);
                    if (on) next.add(path);
                    else next.delete(path);
                    setChosen(next);
                    save.reset();
                  }}
                />
              </li>
            ))}
          </ul>
          <DialogActions>
            <Button onClick={onClose}>Cancel</Button>
            <Button
              type="submit"
              variant="primary"
              busy={save.isPending}
              disabled={chosen.size === 0}
              title={chosen.size === 0 ? "A package has at least one playbook" : undefined}
            >
              Save
            </Button>
          </DialogActions>
        </form>
      )}
    </Dialog>
  );
}
