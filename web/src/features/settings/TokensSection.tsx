import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { api, ApiError } from "@/api/client";
import { sessionQuery, tokensQuery } from "@/api/queries";
import type { ApiToken, CreatedApiToken, Role } from "@/api/types";
import { Button } from "@/components/Button";
import { CopyBox } from "@/components/Copy";
import { ConfirmDialog, Dialog, DialogActions } from "@/components/Dialog";
import { SelectField, TextField } from "@/components/Field";
import { ErrorNotice } from "@/components/Notice";
import { Cell, HeadCell, TableFrame } from "@/components/Page";
import { Time } from "@/components/Time";
import { ListSection } from "./ListSection";
import { rolesWithin } from "./roles";

const LIFETIMES = [
  ["7", "7 days"],
  ["30", "30 days"],
  ["90", "90 days"],
  ["365", "1 year"],
  ["", "Never"],
] as const;

/** The tokens of one user, or of everybody. */
export function TokensSection({ owner }: { owner?: string }) {
  const client = useQueryClient();
  const tokens = useQuery(tokensQuery(owner));
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<ApiToken | null>(null);
  return (
    <>
      <ListSection
        title="API tokens"
        about="For scripts and the command line. A token has the rights of its owner, or fewer."
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
                {owner === undefined && <HeadCell>Owner</HeadCell>}
                <HeadCell>Role</HeadCell>
                <HeadCell className="max-sm:hidden">Created</HeadCell>
                <HeadCell>Expires</HeadCell>
                <HeadCell className="max-sm:hidden">Last used</HeadCell>
                <HeadCell>
                  <span className="sr-only">Actions</span>
                </HeadCell>
              </tr>
            </thead>
            <tbody>
              {all.map((token) => (
                <tr key={token.id} className="hover:bg-hover">
                  <Cell className="font-medium">{token.name}</Cell>
                  {owner === undefined && <Cell>{token.username}</Cell>}
                  <Cell>{token.role}</Cell>
                  <Cell className="text-soft max-sm:hidden">
                    <Time value={token.created_at} />
                  </Cell>
                  <Cell className="text-soft">
                    {token.expires_at === null ? "never" : <Time value={token.expires_at} />}
                  </Cell>
                  <Cell className="text-soft max-sm:hidden">
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
          <p>It stops working at once, and so do all tokens that were made with it.</p>
        </ConfirmDialog>
      )}
    </>
  );
}

function CreateTokenDialog({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [days, setDays] = useState("90");
  const own = useQuery(sessionQuery).data?.role ?? "viewer";
  const [role, setRole] = useState<Role>(own);
  const create = useMutation({
    mutationFn: () =>
      api.post<CreatedApiToken>("/api/tokens", {
        name: name.trim(),
        role,
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
        <SelectField
          label="Role"
          hint="The token never has more rights than you have."
          error={refused?.field("role")}
          value={role}
          onChange={(event) => {
            setRole(event.target.value as Role);
          }}
        >
          {rolesWithin(own).map((name) => (
            <option key={name} value={name}>
              {name}
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
