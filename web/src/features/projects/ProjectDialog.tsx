import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { api, ApiError } from "@/api/client";
import type { Project } from "@/api/types";
import { allKeysQuery } from "@/api/queries";
import { Button } from "@/components/Button";
import { Dialog, DialogActions } from "@/components/Dialog";
import { CheckboxField, SelectField, TextField } from "@/components/Field";
import { ErrorNotice } from "@/components/Notice";
import {
  checkProjectForm,
  EMPTY_PROJECT,
  formOfProject,
  isSsh,
  requestOfProject,
  type ProjectForm,
  type ProjectFormErrors,
} from "./projectForm";

type TextKey = Exclude<keyof ProjectForm, "submodules" | "sync_before_launch">;

/** Adds a git project, or edits the one given. */
export function ProjectDialog({
  project,
  onSaved,
  onClose,
}: {
  project?: Project;
  onSaved?: (project: Project) => void;
  onClose: () => void;
}) {
  const client = useQueryClient();
  const keys = useQuery(allKeysQuery);
  const [form, setForm] = useState<ProjectForm>(() =>
    project === undefined ? EMPTY_PROJECT : formOfProject(project),
  );
  const [complaints, setComplaints] = useState<ProjectFormErrors>({});
  const save = useMutation({
    mutationFn: (request: Record<string, unknown>) =>
      project === undefined
        ? api.post<Project>("/api/projects", request)
        : api.patch<Project>(`/api/projects/${project.id}`, request),
    onSuccess: async (saved) => {
      await client.invalidateQueries({ queryKey: ["projects"] });
      onClose();
      onSaved?.(saved);
    },
  });
  const refused = save.error instanceof ApiError ? save.error : null;
  const input = (field: TextKey, name: string = field) => ({
    error: complaints[field] ?? refused?.field(name),
    value: form[field],
    onChange: (event: { target: { value: string } }) => {
      setForm({ ...form, [field]: event.target.value });
      setComplaints({});
    },
  });
  const toggle = (field: "submodules" | "sync_before_launch") => ({
    checked: form[field],
    onChange: (on: boolean) => {
      setForm({ ...form, [field]: on });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const found = checkProjectForm(form);
    setComplaints(found);
    if (Object.keys(found).length === 0) save.mutate(requestOfProject(form, project));
  };
  const ssh = isSsh(form.url);
  const plain = { autoCapitalize: "none", autoComplete: "off", spellCheck: false } as const;
  return (
    <Dialog
      title={project === undefined ? "Add project" : `Edit ${project.name}`}
      description="Playbooks from a git repository. Admiral only reads from it."
      shape="wide"
      onClose={onClose}
    >
      <form onSubmit={submit} noValidate className="space-y-5">
        {save.isError && <ErrorNotice title="Not saved" error={save.error} />}
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField
            label="Repository"
            autoFocus
            required
            className="sm:col-span-2"
            hint="https://…, ssh://… or git@host:path.git"
            {...plain}
            {...input("url")}
          />
          <TextField
            label="Name"
            required
            hint={
              project === undefined
                ? "Its playbooks are found under it; it stays as it is."
                : "It stays as it is: playbooks are found under it."
            }
            disabled={project !== undefined}
            {...plain}
            {...input("name")}
          />
          <TextField
            label="Reference"
            optional
            hint="A branch, tag or commit; the repository's own default when empty."
            {...plain}
            {...input("reference")}
          />
          {ssh || form.private_key_id !== "" ? (
            <SelectField
              label="Deploy key"
              hint={keys.data?.length === 0 ? "There are no keys yet; add one on the Keys page." : undefined}
              {...input("private_key_id")}
            >
              <option value="">No key</option>
              {keys.data?.map((key) => (
                <option key={key.id} value={key.id}>
                  {key.name} ({key.key_type})
                </option>
              ))}
            </SelectField>
          ) : (
            <>
              <TextField
                label="Username"
                optional
                hint="Only where the token needs one."
                {...plain}
                {...input("username")}
              />
              <TextField
                label="Token"
                optional
                type="password"
                autoComplete="new-password"
                placeholder={project?.has_token === true ? "••••••••" : undefined}
                hint={
                  project?.has_token === true
                    ? "One is kept. Type another to replace it."
                    : "For a private repository. It is kept encrypted and never shown."
                }
                {...input("token")}
              />
            </>
          )}
        </div>
        <fieldset className="grid gap-4 sm:grid-cols-2">
          <legend className="mb-2 font-semibold">When it is synced</legend>
          <TextField
            label="Minutes between syncs"
            optional
            inputMode="decimal"
            autoComplete="off"
            className="sm:col-span-2"
            hint="Empty: only on demand and by webhook."
            {...input("interval", "sync_interval_seconds")}
          />
          <CheckboxField
            label="Before every launch"
            hint="A launch then waits for the repository."
            {...toggle("sync_before_launch")}
          />
          <CheckboxField label="With submodules" {...toggle("submodules")} />
        </fieldset>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="primary" busy={save.isPending}>
            {project === undefined ? "Add project" : "Save"}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
