import { useState, type FormEvent } from "react";

import { Button } from "@/components/Button";
import { Dialog, DialogActions } from "@/components/Dialog";
import { TextField } from "@/components/Field";
import { refusePath } from "./edits";

/** Asks for a file's path. */
export function PathDialog({
  title,
  action,
  initial,
  taken,
  onDone,
  onClose,
}: {
  title: string;
  action: string;
  initial: string;
  taken: readonly string[];
  onDone: (path: string) => void;
  onClose: () => void;
}) {
  const [path, setPath] = useState(initial);
  const [error, setError] = useState<string | null>(null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const refusal = refusePath(path.trim(), taken);
    setError(refusal);
    if (refusal !== null) return;
    onDone(path.trim());
    onClose();
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit} noValidate>
        <TextField
          label="Path"
          mono
          autoFocus
          autoCapitalize="none"
          spellCheck={false}
          hint="Relative to the package, folders separated by /."
          error={error ?? undefined}
          value={path}
          onChange={(event) => {
            setPath(event.target.value);
            setError(null);
          }}
        />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="primary">
            {action}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
