import { useMutation } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { ApiError } from "@/api/client";
import type { DeploymentOptions, FieldError } from "@/api/types";
import { Button } from "@/components/Button";
import { Dialog, DialogActions } from "@/components/Dialog";
import { TextField } from "@/components/Field";
import { ErrorNotice } from "@/components/Notice";
import { OptionFields } from "@/features/options/OptionFields";
import { changedOptions, checkOptions, formOfOptions } from "@/features/options/options";
import { checkRows } from "./variableRows";
import { VariablesEditor } from "./VariablesEditor";
import { changesOfRows, rowsOf, type VariableChanges, type VariableSet } from "./variableSet";

type SetRequest = VariableChanges & {
  name: string;
  description: string | null;
  base_updated_at?: string;
  options?: DeploymentOptions;
};

const NO_OPTIONS = {};

/** Adds or edits variables that are kept under a name; with those of a playbook, options are. */
export function VariableSetDialog({
  title,
  action,
  before,
  playbook,
  onSave,
  onClose,
}: {
  title: string;
  action: string;
  before?: VariableSet & {
    name: string;
    description: string | null;
    options?: DeploymentOptions;
    updated_at: string;
  };
  /** The playbook's id, when options are kept, too. */
  playbook?: string;
  onSave: (request: SetRequest) => Promise<unknown>;
  onClose: () => void;
}) {
  const [name, setName] = useState(before?.name ?? "");
  const [description, setDescription] = useState(before?.description ?? "");
  const [rows, setRows] = useState(() => (before === undefined ? [] : rowsOf(before)));
  const optionsBefore = before?.options ?? NO_OPTIONS;
  const [optionsForm, setOptionsForm] = useState(() => formOfOptions(optionsBefore));
  const [found, setFound] = useState<readonly FieldError[]>([]);
  const save = useMutation({ mutationFn: onSave, onSuccess: onClose });
  const refused = save.error instanceof ApiError ? save.error : null;
  const errors = [...found, ...(refused?.fields ?? [])];
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const wrong = [...checkRows(rows, before?.secret_variables), ...checkOptions(optionsForm)];
    if (name.trim() === "") wrong.push({ field: "name", message: "Give it a name." });
    setFound(wrong);
    if (wrong.length > 0) return;
    const options = changedOptions(optionsForm, optionsBefore);
    save.mutate({
      name: name.trim(),
      description: description.trim() === "" ? null : description.trim(),
      ...(before !== undefined && { base_updated_at: before.updated_at }),
      ...changesOfRows(rows, before),
      ...(options !== undefined && { options }),
    });
  };
  return (
    <Dialog title={title} shape="wide" onClose={onClose}>
      <form onSubmit={submit} noValidate className="space-y-4">
        {save.isError && <ErrorNotice title="Not saved" error={save.error} />}
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField
            label="Name"
            required
            autoFocus
            error={found.find((error) => error.field === "name")?.message ?? refused?.field("name")}
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
        </div>
        <VariablesEditor
          rows={rows}
          errors={errors}
          hint={
            before !== undefined && before.secret_variables.length > 0
              ? "A secret whose value is left empty stays as it is."
              : undefined
          }
          onChange={setRows}
        />
        {playbook !== undefined && (
          <OptionFields
            form={optionsForm}
            change={(changes) => {
              setOptionsForm({ ...optionsForm, ...changes });
            }}
            errors={errors}
            playbook={playbook}
          />
        )}
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="primary" busy={save.isPending}>
            {action}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
