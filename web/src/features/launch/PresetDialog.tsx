import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api, ApiError } from "@/api/client";
import type { Preset } from "@/api/types";
import { Button } from "@/components/Button";
import { Dialog, DialogActions } from "@/components/Dialog";
import { TextField } from "@/components/Field";
import { ErrorNotice, Notice } from "@/components/Notice";
import { optionsOfForm } from "@/features/options/options";
import { variablesOfLaunch, type LaunchForm } from "./launchForm";

/** Keeps what is filled in under a name, for this playbook. */
export function PresetDialog({
  form,
  hidden,
  onClose,
}: {
  form: LaunchForm;
  hidden: ReadonlySet<string>;
  onClose: () => void;
}) {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const save = useMutation({
    mutationFn: () => {
      const { variables, secret_variables } = variablesOfLaunch(form, hidden);
      return api.post<Preset>("/api/presets", {
        playbook: form.playbook,
        name: name.trim(),
        description: description.trim() === "" ? null : description.trim(),
        variables: variables ?? {},
        secret_variables: secret_variables ?? {},
        options: optionsOfForm(form),
      });
    },
    onSuccess: () => client.invalidateQueries({ queryKey: ["presets"] }),
  });
  const refused = save.error instanceof ApiError ? save.error : null;
  if (save.data !== undefined)
    return (
      <Dialog title={`The preset ${save.data.name} is saved`} onClose={onClose}>
        <p className="text-soft text-sm">It can be chosen whenever this playbook is launched.</p>
        <DialogActions>
          <Button variant="primary" onClick={onClose}>
            Done
          </Button>
        </DialogActions>
      </Dialog>
    );
  return (
    <Dialog title="Save as preset" description={<code>{form.playbook}</code>} onClose={onClose}>
      <form
        className="space-y-4"
        onSubmit={(event) => {
          event.preventDefault();
          // The wizard's own form is around this one.
          event.stopPropagation();
          save.mutate();
        }}
      >
        {save.isError && <ErrorNotice title="Not saved" error={save.error} />}
        <p className="text-soft text-sm">
          The variables given here and the options are kept. Secrets are kept encrypted and never shown.
        </p>
        {Object.keys(form.files).length > 0 && (
          <Notice tone="info">Files are not kept; they are given at every launch.</Notice>
        )}
        <TextField
          label="Name"
          required
          autoFocus
          error={refused?.field("name")}
          value={name}
          onChange={(event) => {
            setName(event.target.value);
          }}
        />
        <TextField
          label="Description"
          optional
          error={refused?.field("description")}
          value={description}
          onChange={(event) => {
            setDescription(event.target.value);
          }}
        />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="primary" busy={save.isPending}>
            Save preset
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
