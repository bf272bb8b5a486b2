import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { api, ApiError } from "@/api/client";
import { packagesQuery, vaultPasswordsQuery } from "@/api/playbookQueries";
import type { VaultPassword } from "@/api/types";
import { Button, IconButton } from "@/components/Button";
import { ConfirmDialog, Dialog, DialogActions } from "@/components/Dialog";
import { SelectField, TextField } from "@/components/Field";
import { ErrorNotice } from "@/components/Notice";
import { Cell, HeadCell, TableFrame } from "@/components/Page";
import { Time } from "@/components/Time";
import { ListSection } from "./ListSection";

type Open = { act: "add" } | { act: "replace" | "delete"; password: VaultPassword };

/** What opens files and texts that were encrypted with ansible-vault. */
export function VaultPasswordsSection({ mayChange }: { mayChange: boolean }) {
  const client = useQueryClient();
  const passwords = useQuery(vaultPasswordsQuery);
  const [open, setOpen] = useState<Open | null>(null);
  const close = () => {
    setOpen(null);
  };
  return (
    <>
      <ListSection
        title="Vault passwords"
        about="They open what was encrypted with ansible-vault. Kept encrypted, handed to a run and never shown."
        what="vault passwords"
        query={passwords}
        icon="keys"
        empty="Add one under the vault id that your files name, or as default."
        add={mayChange ? "Add vault password" : undefined}
        onAdd={() => {
          setOpen({ act: "add" });
        }}
      >
        {(all) => (
          <TableFrame label="Vault passwords">
            <thead>
              <tr>
                <HeadCell>Vault id</HeadCell>
                <HeadCell>For</HeadCell>
                <HeadCell>Changed</HeadCell>
                <HeadCell>
                  <span className="sr-only">Actions</span>
                </HeadCell>
              </tr>
            </thead>
            <tbody>
              {all.map((password) => (
                <tr key={password.id} className="hover:bg-hover">
                  <Cell className="font-mono text-xs font-medium">{password.vault_id}</Cell>
                  <Cell>{password.package?.name ?? <span className="text-soft">all packages</span>}</Cell>
                  <Cell className="text-soft">
                    <Time value={password.updated_at} />
                  </Cell>
                  <Cell className="text-right whitespace-nowrap">
                    {mayChange && (
                      <>
                        <Button
                          small
                          onClick={() => {
                            setOpen({ act: "replace", password });
                          }}
                        >
                          Replace<span className="sr-only"> {password.vault_id}</span>
                        </Button>
                        <IconButton
                          icon="trash"
                          label={`Delete ${password.vault_id}`}
                          onClick={() => {
                            setOpen({ act: "delete", password });
                          }}
                        />
                      </>
                    )}
                  </Cell>
                </tr>
              ))}
            </tbody>
          </TableFrame>
        )}
      </ListSection>
      {open?.act === "add" && <PasswordDialog onClose={close} />}
      {open?.act === "replace" && <PasswordDialog old={open.password} onClose={close} />}
      {open?.act === "delete" && (
        <ConfirmDialog
          title={`Delete the vault password ${open.password.vault_id}?`}
          action="Delete vault password"
          onClose={close}
          onConfirm={async () => {
            await api.delete(`/api/vault-passwords/${open.password.id}`);
            await client.invalidateQueries({ queryKey: ["vault passwords"] });
          }}
        >
          <p>Playbooks whose files need it fail until it is added again. It cannot be brought back.</p>
        </ConfirmDialog>
      )}
    </>
  );
}

function PasswordDialog({ old, onClose }: { old?: VaultPassword; onClose: () => void }) {
  const client = useQueryClient();
  const packages = useQuery(packagesQuery);
  const [vaultId, setVaultId] = useState("default");
  const [packageId, setPackageId] = useState("");
  const [password, setPassword] = useState("");
  const save = useMutation({
    mutationFn: () =>
      old === undefined
        ? api.post<VaultPassword>("/api/vault-passwords", {
            vault_id: vaultId.trim(),
            password,
            ...(packageId !== "" && { package_id: packageId }),
          })
        : api.patch<VaultPassword>(`/api/vault-passwords/${old.id}`, { password }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["vault passwords"] });
      onClose();
    },
  });
  const refused = save.error instanceof ApiError ? save.error : null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <Dialog
      title={old === undefined ? "Add vault password" : `Replace the vault password ${old.vault_id}`}
      onClose={onClose}
    >
      <form onSubmit={submit} className="space-y-4">
        {save.isError && <ErrorNotice title="Not saved" error={save.error} />}
        {old === undefined && (
          <>
            <TextField
              label="Vault id"
              required
              autoFocus
              autoCapitalize="none"
              spellCheck={false}
              hint="As in ansible-vault encrypt --vault-id ID@…; default where none was given."
              error={refused?.field("vault_id")}
              value={vaultId}
              onChange={(event) => {
                setVaultId(event.target.value);
              }}
            />
            <SelectField
              label="For"
              hint="One of a package wins over one for all."
              error={refused?.field("package_id")}
              value={packageId}
              onChange={(event) => {
                setPackageId(event.target.value);
              }}
            >
              <option value="">All packages</option>
              {packages.data?.data
                .filter((one) => one.origin !== "built_in")
                .map((one) => (
                  <option key={one.id} value={one.id}>
                    {one.name === "" ? "files at the root of the folder" : one.name}
                  </option>
                ))}
            </SelectField>
          </>
        )}
        <TextField
          label="Password"
          required
          type="password"
          autoFocus={old !== undefined}
          autoComplete="new-password"
          error={refused?.field("password")}
          value={password}
          onChange={(event) => {
            setPassword(event.target.value);
          }}
        />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="primary" busy={save.isPending}>
            {old === undefined ? "Add vault password" : "Replace"}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
