import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { api, ApiError } from "@/api/client";
import type { PrivateKey } from "@/api/types";
import { Button } from "@/components/Button";
import { Dialog, DialogActions } from "@/components/Dialog";
import { TextAreaField, TextField } from "@/components/Field";
import { ErrorNotice } from "@/components/Notice";

export function AddKeyDialog({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [privateKey, setPrivateKey] = useState("");
  const [passphrase, setPassphrase] = useState("");
  const add = useMutation({
    mutationFn: () =>
      api.post<PrivateKey>("/api/keys", {
        name: name.trim(),
        // OpenSSH refuses a key whose last line does not end.
        private_key: `${privateKey.trim()}\n`,
        ...(passphrase !== "" && { passphrase }),
      }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["keys"] });
      onClose();
    },
  });
  const refused = add.error instanceof ApiError ? add.error : null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    add.mutate();
  };
  return (
    <Dialog title="Add key" onClose={onClose}>
      <form onSubmit={submit} className="space-y-4">
        {add.isError && <ErrorNotice title="Not added" error={add.error} />}
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
        <TextAreaField
          label="Private key"
          hint="The whole file, from the BEGIN line to the END line. It is encrypted before it is stored."
          mono
          rows={8}
          required
          spellCheck={false}
          autoComplete="off"
          error={refused?.field("private_key")}
          value={privateKey}
          onChange={(event) => {
            setPrivateKey(event.target.value);
          }}
        />
        <TextField
          label="Passphrase"
          optional
          hint="Only when the key is protected by one."
          type="password"
          autoComplete="off"
          error={refused?.field("passphrase")}
          value={passphrase}
          onChange={(event) => {
            setPassphrase(event.target.value);
          }}
        />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="primary" busy={add.isPending}>
            Add key
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
