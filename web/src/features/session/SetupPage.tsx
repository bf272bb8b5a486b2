import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";

import { api, ApiError } from "@/api/client";
import { sessionQuery, setupQuery } from "@/api/queries";
import type { Session } from "@/api/types";
import { Button } from "@/components/Button";
import { CheckboxField, TextField } from "@/components/Field";
import { ErrorNotice, Notice } from "@/components/Notice";
import { useTitle } from "@/components/useTitle";
import { EntryFrame } from "./EntryFrame";

const route = getRouteApi("/setup");
const PASSWORD_MIN = 12;

export function SetupPage() {
  useTitle("Set up");
  const { token } = route.useSearch();
  const setup = useQuery(setupQuery);
  return (
    <EntryFrame title="Create the first administrator">
      {setup.data?.needed === false ? (
        <Notice tone="info" title="Already set up">
          This Admiral has its first user.{" "}
          <Link to="/sign-in" className="link">
            Sign in
          </Link>
        </Notice>
      ) : token === undefined ? (
        <Notice tone="warning" title="The link is incomplete">
          Open the whole set-up link: it ends in <code>?token=…</code>, and{" "}
          <code>admiral users setup-link</code> prints a new one.
        </Notice>
      ) : (
        <SetupForm token={token} />
      )}
    </EntryFrame>
  );
}

function SetupForm({ token }: { token: string }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [username, setUsername] = useState("admin");
  const [password, setPassword] = useState("");
  const [shown, setShown] = useState(false);
  const [complaint, setComplaint] = useState<string>();
  const create = useMutation({
    mutationFn: () => api.post<Session>("/api/setup", { token, username, password }, { anonymous: true }),
    onSuccess: (session) => {
      client.clear();
      client.setQueryData(sessionQuery.queryKey, session);
      void navigate({ to: "/deployments" });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if ([...password].length < PASSWORD_MIN) {
      setComplaint(`Use at least ${PASSWORD_MIN} characters.`);
      return;
    }
    setComplaint(undefined);
    create.mutate();
  };
  const refused = create.error instanceof ApiError ? create.error : null;
  return (
    <form onSubmit={submit} className="space-y-4" noValidate>
      {create.isError && <ErrorNotice title="Not created" error={create.error} />}
      <TextField
        label="Username"
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        required
        error={refused?.field("username")}
        value={username}
        onChange={(event) => {
          setUsername(event.target.value);
        }}
      />
      <TextField
        label="Password"
        type={shown ? "text" : "password"}
        autoComplete="new-password"
        required
        autoFocus
        hint={`At least ${PASSWORD_MIN} characters. A few random words are good.`}
        error={complaint ?? refused?.field("password")}
        value={password}
        onChange={(event) => {
          setPassword(event.target.value);
        }}
      />
      <CheckboxField label="Show what I type" checked={shown} onChange={setShown} />
      <Button type="submit" variant="primary" className="w-full" busy={create.isPending}>
        Create administrator
      </Button>
    </form>
  );
}
