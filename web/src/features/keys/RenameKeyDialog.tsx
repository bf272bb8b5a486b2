import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { api, ApiError } from "@/api/client";
import type { PrivateKey } from "@/api/types";
import { Button } from "@/components/Button";
import { Dialog, DialogActions } from "@/components/Dialog";
import { TextField } from "@/components/Field";
import { ErrorNotice } from "@/components/Notice";

export function RenameKeyDialog({ privateKey, onClose }: { privateKey: PrivateKey; onClose: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState(privateKey.name);
  const rename = useMutation({
    mutationFn: () => api.patch<PrivateKey>(`/api/keys/${privateKey.id}`, { name: name.trim() }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["keys"] });
      onClose();
    },
  });
  const refused = rename.error instanceof ApiError ? rename.error : null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    rename.mutate();
  };
  return (
    <Dialog title={`Rename ${privateKey.name}`} onClose={onClose}>
      <form onSubmit={submit}>
        {rename.isError && <ErrorNotice className="mb-4" title="Not renamed" error={rename.error} />}
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
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="primary" busy={rename.isPending}>
            Save
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
