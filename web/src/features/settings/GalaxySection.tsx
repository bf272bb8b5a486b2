import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { api, ApiError } from "@/api/client";
import { galaxyServersQuery } from "@/api/playbookQueries";
import type { GalaxyServer } from "@/api/types";
import { Button, IconButton } from "@/components/Button";
import { ConfirmDialog, Dialog, DialogActions } from "@/components/Dialog";
import { CheckboxField, TextField } from "@/components/Field";
import { ErrorNotice } from "@/components/Notice";
import { Cell, HeadCell, TableFrame } from "@/components/Page";
import { ListSection } from "./ListSection";

type Open = { act: "add" } | { act: "edit" | "delete"; server: GalaxyServer };

/** Where roles and collections are fetched from that a project's requirements name. */
export function GalaxySection({ mayChange }: { mayChange: boolean }) {
  const client = useQueryClient();
  const servers = useQuery(galaxyServersQuery);
  const [open, setOpen] = useState<Open | null>(null);
  const close = () => {
    setOpen(null);
  };
  return (
    <>
      <ListSection
        title="Galaxy servers"
        about="Where the roles and collections of a project's requirements.yml are fetched from, the first one first. Without any, ansible-galaxy asks its own."
        what="Galaxy servers"
        query={servers}
        icon="download"
        empty="Add your own Galaxy if you have one."
        add={mayChange ? "Add Galaxy server" : undefined}
        onAdd={() => {
          setOpen({ act: "add" });
        }}
      >
        {(all) => (
          <TableFrame label="Galaxy servers">
            <thead>
              <tr>
                <HeadCell className="text-right">Order</HeadCell>
                <HeadCell>Name</HeadCell>
                <HeadCell>Address</HeadCell>
                <HeadCell>Token</HeadCell>
                <HeadCell>
                  <span className="sr-only">Actions</span>
                </HeadCell>
              </tr>
            </thead>
            <tbody>
              {all.map((server) => (
                <tr key={server.id} className="hover:bg-hover">
                  <Cell className="text-faint text-right">{server.position}</Cell>
                  <Cell className="font-medium">{server.name}</Cell>
                  <Cell className="font-mono text-xs break-all">{server.url}</Cell>
                  <Cell>
                    {server.has_token ? "kept encrypted" : <span className="text-faint">none</span>}
                  </Cell>
                  <Cell className="text-right whitespace-nowrap">
                    {mayChange && (
                      <>
                        <IconButton
                          icon="edit"
                          label={`Edit ${server.name}`}
                          onClick={() => {
                            setOpen({ act: "edit", server });
                          }}
                        />
                        <IconButton
                          icon="trash"
                          label={`Delete ${server.name}`}
                          onClick={() => {
                            setOpen({ act: "delete", server });
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
      {open?.act === "add" && <GalaxyDialog onClose={close} />}
      {open?.act === "edit" && <GalaxyDialog server={open.server} onClose={close} />}
      {open?.act === "delete" && (
        <ConfirmDialog
          title={`Delete the Galaxy server ${open.server.name}?`}
          action="Delete Galaxy server"
          onClose={close}
          onConfirm={async () => {
            await api.delete(`/api/galaxy-servers/${open.server.id}`);
            await client.invalidateQueries({ queryKey: ["galaxy servers"] });
          }}
        >
          <p>What was fetched from it stays in the cache; new requirements are no longer looked for there.</p>
        </ConfirmDialog>
      )}
    </>
  );
}

function GalaxyDialog({ server, onClose }: { server?: GalaxyServer; onClose: () => void }) {
  const client = useQueryClient();
  const [form, setForm] = useState({
    name: server?.name ?? "",
    url: server?.url ?? "",
    auth_url: server?.auth_url ?? "",
    token: "",
    position: server === undefined ? "" : String(server.position),
  });
  const [forget, setForget] = useState(false);
  const save = useMutation({
    mutationFn: () => {
      const request = {
        name: form.name.trim(),
        url: form.url.trim(),
        ...((form.auth_url.trim() !== "" || (server?.auth_url ?? null) !== null) && {
          auth_url: form.auth_url.trim() === "" ? null : form.auth_url.trim(),
        }),
        ...(form.token !== "" ? { token: form.token } : forget && { token: null }),
        ...(form.position.trim() !== "" && { position: Number(form.position) }),
      };
      return server === undefined
        ? api.post<GalaxyServer>("/api/galaxy-servers", request)
        : api.patch<GalaxyServer>(`/api/galaxy-servers/${server.id}`, request);
    },
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["galaxy servers"] });
      onClose();
    },
  });
  const refused = save.error instanceof ApiError ? save.error : null;
  const input = (field: keyof typeof form) => ({
    error: refused?.field(field),
    value: form[field],
    autoCapitalize: "none",
    spellCheck: false,
    onChange: (event: { target: { value: string } }) => {
      setForm({ ...form, [field]: event.target.value });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <Dialog title={server === undefined ? "Add Galaxy server" : `Edit ${server.name}`} onClose={onClose}>
      <form onSubmit={submit} className="space-y-4">
        {save.isError && <ErrorNotice title="Not saved" error={save.error} />}
        <TextField label="Name" required autoFocus {...input("name")} />
        <TextField label="Address" required hint="https://…" {...input("url")} />
        <TextField
          label="Sign-in address"
          optional
          hint="Where tokens are exchanged, for an Automation Hub."
          {...input("auth_url")}
        />
        <TextField
          label="Token"
          optional
          type="password"
          autoComplete="new-password"
          placeholder={server?.has_token === true ? "••••••••" : undefined}
          hint={
            server?.has_token === true
              ? "One is kept. Type another to replace it."
              : "Kept encrypted and never shown."
          }
          {...input("token")}
        />
        {server?.has_token === true && form.token === "" && (
          <CheckboxField label="Forget the token" checked={forget} onChange={setForget} />
        )}
        <TextField
          label="Order"
          optional
          inputMode="numeric"
          hint="The lowest number is asked first."
          {...input("position")}
        />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="primary" busy={save.isPending}>
            {server === undefined ? "Add Galaxy server" : "Save"}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
