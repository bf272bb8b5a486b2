import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { api, ApiError } from "@/api/client";
import { allKeysQuery, serverTagsQuery } from "@/api/queries";
import type { CreateServer, Server, ServerStatus } from "@/api/types";
import { Button } from "@/components/Button";
import { Dialog, DialogActions } from "@/components/Dialog";
import { SelectField, TextAreaField, TextField } from "@/components/Field";
import { ErrorNotice } from "@/components/Notice";
import {
  checkServerForm,
  EMPTY_SERVER_FORM,
  formOfServer,
  requestOfForm,
  type ServerForm,
  type ServerFormErrors,
} from "./serverForm";

/** Adds a server, or edits the one given. */
export function ServerFormDialog({ server, onClose }: { server?: Server; onClose: () => void }) {
  const client = useQueryClient();
  const keys = useQuery(allKeysQuery);
  const tags = useQuery(serverTagsQuery);
  const [form, setForm] = useState<ServerForm>(() =>
    server === undefined ? EMPTY_SERVER_FORM : formOfServer(server),
  );
  const [complaints, setComplaints] = useState<ServerFormErrors>({});
  const save = useMutation({
    mutationFn: (request: CreateServer) =>
      server === undefined
        ? api.post<Server>("/api/servers", request)
        : api.patch<Server>(`/api/servers/${server.id}`, request),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["servers"] });
      onClose();
    },
  });
  const refused = save.error instanceof ApiError ? save.error : null;
  const errorOf = (field: keyof CreateServer) => complaints[field] ?? refused?.field(field);
  const input = (field: Exclude<keyof ServerForm, "status">) => ({
    error: errorOf(field),
    value: form[field],
    onChange: (event: { target: { value: string } }) => {
      setForm({ ...form, [field]: event.target.value });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const found = checkServerForm(form);
    setComplaints(found);
    if (Object.keys(found).length === 0) save.mutate(requestOfForm(form, server !== undefined));
  };
  const known = (tags.data?.data ?? []).slice(0, 8).map((entry) => entry.tag);
  return (
    <Dialog
      title={server === undefined ? "Add server" : `Edit ${server.hostname}`}
      shape="wide"
      onClose={onClose}
    >
      <form onSubmit={submit} noValidate>
        {save.isError && <ErrorNotice className="mb-4" title="Not saved" error={save.error} />}
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField
            label="Hostname"
            hint="Its name in inventories and in deployments."
            autoFocus
            required
            autoCapitalize="none"
            spellCheck={false}
            {...input("hostname")}
          />
          <TextField label="Name" optional hint="For people; the hostname when empty." {...input("name")} />
          <TextField
            label="SSH host"
            hint="Address or DNS name; the hostname when empty."
            autoCapitalize="none"
            spellCheck={false}
            {...input("ssh_host")}
          />
          <div className="grid grid-cols-2 gap-4">
            <TextField label="SSH port" inputMode="numeric" {...input("ssh_port")} />
            <TextField label="SSH user" autoCapitalize="none" spellCheck={false} {...input("ssh_username")} />
          </div>
          <SelectField
            label="Private key"
            optional
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
          <TextField
            label="Tags"
            optional
            hint={
              known.length > 0 ? `Separated by commas. In use: ${known.join(", ")}` : "Separated by commas."
            }
            autoCapitalize="none"
            {...input("tags")}
          />
          <TextField label="Distro" optional hint="For example debian-12." {...input("distro")} />
          <TextField label="Architecture" optional hint="For example x86_64." {...input("architecture")} />
          <SelectField
            label="Status"
            error={errorOf("status")}
            value={form.status}
            onChange={(event) => {
              setForm({ ...form, status: event.target.value as ServerStatus });
            }}
          >
            <option value="active">active</option>
            <option value="inactive">inactive</option>
          </SelectField>
          <TextAreaField
            label="Host variables"
            optional
            hint={
              <>
                A JSON object that playbooks see as variables of this host, such as{" "}
                <code>{'{"ansible_python_interpreter": "/usr/bin/python3"}'}</code>
              </>
            }
            className="sm:col-span-2"
            mono
            rows={4}
            spellCheck={false}
            {...input("metadata")}
          />
        </div>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="primary" busy={save.isPending}>
            {server === undefined ? "Add server" : "Save"}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
