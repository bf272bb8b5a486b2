import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { api, ApiError } from "@/api/client";
import type { PrivateKey } from "@/api/types";
import { Button } from "@/components/Button";
import { CopyBox } from "@/components/Copy";
import { Dialog, DialogActions } from "@/components/Dialog";
import { TextField } from "@/components/Field";
import { ErrorNotice } from "@/components/Notice";

export function GenerateKeyDialog({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [comment, setComment] = useState("");
  const generate = useMutation({
    mutationFn: () =>
      api.post<PrivateKey>("/api/keys/generate", {
        name: name.trim(),
        ...(comment.trim() !== "" && { comment: comment.trim() }),
      }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["keys"] }),
  });
  const refused = generate.error instanceof ApiError ? generate.error : null;
  if (generate.data !== undefined) return <Generated privateKey={generate.data} onClose={onClose} />;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    generate.mutate();
  };
  return (
    <Dialog
      title="Generate key"
      description="Admiral makes an ed25519 key pair and keeps the private part."
      onClose={onClose}
    >
      <form onSubmit={submit} className="space-y-4">
        {generate.isError && <ErrorNotice title="Not generated" error={generate.error} />}
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
          label="Comment"
          optional
          hint="Ends the public key, so that you recognise it on a server."
          error={refused?.field("comment")}
          value={comment}
          onChange={(event) => {
            setComment(event.target.value);
          }}
        />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="primary" busy={generate.isPending}>
            Generate
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

function Generated({ privateKey, onClose }: { privateKey: PrivateKey; onClose: () => void }) {
  return (
    <Dialog title={`The key ${privateKey.name} is ready`} onClose={onClose}>
      <p className="text-soft mb-2 text-sm">
        Append this line to <code>~/.ssh/authorized_keys</code> of the SSH user on every server that is to use
        it, then choose the key for those servers.
      </p>
      <CopyBox text={privateKey.public_key} what="public key" />
      <p className="text-faint mt-2 font-mono text-xs break-all">{privateKey.fingerprint}</p>
      <DialogActions>
        <Button variant="primary" onClick={onClose}>
          Done
        </Button>
      </DialogActions>
    </Dialog>
  );
}
