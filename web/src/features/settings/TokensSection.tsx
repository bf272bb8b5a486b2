import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { api, ApiError } from "@/api/client";
import { tokensQuery } from "@/api/queries";
import type { ApiToken, CreatedApiToken } from "@/api/types";
import { Button } from "@/components/Button";
import { CopyBox } from "@/components/Copy";
import { ConfirmDialog, Dialog, DialogActions } from "@/components/Dialog";
import { SelectField, TextField } from "@/components/Field";
import { ErrorNotice } from "@/components/Notice";
import { Cell, HeadCell, TableFrame } from "@/components/Page";
import { Time } from "@/components/Time";
import { ListSection } from "./ListSection";

const LIFETIMES = [
  ["7", "7 days"],
  ["30", "30 days"],
  ["90", "90 days"],
  ["365", "1 year"],
  ["", "Never"],
] as const;

export function TokensSection() {
  const client = useQueryClient();
  const tokens = useQuery(tokensQuery);
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<ApiToken | null>(null);
  return (
    <>
      <ListSection
        title="API tokens"
        about="For scripts and the command line. A token may do what its owner may."
        what="tokens"
        query={tokens}
        icon="keys"
        empty={
          <>
            Create one to call the API as <code>Authorization: Bearer adm_…</code>
          </>
        }
        add="Create token"
        onAdd={() => {
          setCreating(true);
        }}
      >
        {(all) => (
          <TableFrame label="API tokens">
            <thead>
              <tr>
                <HeadCell>Name</HeadCell>
                <HeadCell>Owner</HeadCell>
                <HeadCell>Created</HeadCell>
                <HeadCell>Expires</HeadCell>
                <HeadCell>Last used</HeadCell>
                <HeadCell>
                  <span className="sr-only">Actions</span>
                </HeadCell>
              </tr>
            </thead>
            <tbody>
              {all.map((token) => (
                <tr key={token.id} className="hover:bg-hover">
                  <Cell className="font-medium">{token.name}</Cell>
                  <Cell>{token.username}</Cell>
                  <Cell className="text-soft">
                    <Time value={token.created_at} />
                  </Cell>
                  <Cell className="text-soft">
                    {token.expires_at === null ? "never" : <Time value={token.expires_at} />}
                  </Cell>
                  <Cell className="text-soft">
                    {token.last_used_at === null ? "never" : <Time value={token.last_used_at} />}
                  </Cell>
                  <Cell className="text-right">
                    <Button
                      small
                      aria-label={`Revoke ${token.name}`}
                      onClick={() => {
                        setRevoking(token);
                      }}
                    >
                      Revoke
                    </Button>
                  </Cell>
                </tr>
              ))}
            </tbody>
          </TableFrame>
        )}
      </ListSection>
      {creating && (
        <CreateTokenDialog
          onClose={() => {
            setCreating(false);
          }}
        />
      )}
      {revoking !== null && (
        <ConfirmDialog
          title={`Revoke the token ${revoking.name}?`}
          action="Revoke token"
          onClose={() => {
            setRevoking(null);
          }}
          onConfirm={async () => {
            await api.delete(`/api/tokens/${revoking.id}`);
            await client.invalidateQueries({ queryKey: ["tokens"] });
          }}
        >
          <p>Whatever uses it is refused from now on.</p>
        </ConfirmDialog>
      )}
    </>
  );
}

function CreateTokenDialog({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [days, setDays] = useState("90");
  const create = useMutation({
    mutationFn: () =>
      api.post<CreatedApiToken>("/api/tokens", {
        name: name.trim(),
        ...(days !== "" && { expires_in_days: Number(days) }),
      }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["tokens"] }),
  });
  const refused = create.error instanceof ApiError ? create.error : null;
  if (create.data !== undefined)
    return (
      <Dialog title={`The token ${create.data.api_token.name} is ready`} onClose={onClose}>
        <p className="text-soft mb-2 text-sm">Copy it now: it is not shown again.</p>
        <CopyBox text={create.data.token} what="token" />
        <DialogActions>
          <Button variant="primary" onClick={onClose}>
            Done
          </Button>
        </DialogActions>
      </Dialog>
    );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <Dialog title="Create token" onClose={onClose}>
      <form onSubmit={submit} className="space-y-4">
        {create.isError && <ErrorNotice title="Not created" error={create.error} />}
        <TextField
          label="Name"
          hint="What will use it."
          required
          autoFocus
          error={refused?.field("name")}
          value={name}
          onChange={(event) => {
            setName(event.target.value);
          }}
        />
        <SelectField
          label="Expires"
          error={refused?.field("expires_in_days")}
          value={days}
          onChange={(event) => {
            setDays(event.target.value);
          }}
        >
          {LIFETIMES.map(([value, text]) => (
            <option key={text} value={value}>
              {text}
            </option>
          ))}
        </SelectField>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="primary" busy={create.isPending}>
            Create token
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
