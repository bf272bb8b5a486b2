import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { api, ApiError } from "@/api/client";
import type { Role, User } from "@/api/types";
import { Button } from "@/components/Button";
import { Dialog, DialogActions } from "@/components/Dialog";
import { SelectField, TextField } from "@/components/Field";
import { ErrorNotice } from "@/components/Notice";
import { ROLES } from "./roles";

export function AddUserDialog({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [username, setUsername] = useState("");
  const [role, setRole] = useState<Role>("operator");
  const [password, setPassword] = useState("");
  const add = useMutation({
    mutationFn: () =>
      api.post<User>("/api/users", { username: username.trim(), role, ...(password !== "" && { password }) }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["users"] });
      onClose();
    },
  });
  const refused = add.error instanceof ApiError ? add.error : null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    add.mutate();
  };
  return (
    <Dialog title="Add user" onClose={onClose}>
      <form onSubmit={submit} className="space-y-4">
        {add.isError && <ErrorNotice title="Not added" error={add.error} />}
        <TextField
          label="Username"
          required
          autoFocus
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          error={refused?.field("username")}
          value={username}
          onChange={(event) => {
            setUsername(event.target.value);
          }}
        />
        <SelectField
          label="Role"
          error={refused?.field("role")}
          value={role}
          onChange={(event) => {
            setRole(event.target.value as Role);
          }}
        >
          {ROLES.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </SelectField>
        <TextField
          label="Password"
          optional
          hint="At least 12 characters. Without one the user signs in by a link."
          type="password"
          autoComplete="new-password"
          error={refused?.field("password")}
          value={password}
          onChange={(event) => {
            setPassword(event.target.value);
          }}
        />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="primary" busy={add.isPending}>
            Add user
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
