import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useRouter } from "@tanstack/react-router";
import { useEffect, useState, type FormEvent } from "react";

import { api } from "@/api/client";
import { sessionQuery, setupQuery } from "@/api/queries";
import type { Session } from "@/api/types";
import { Button } from "@/components/Button";
import { TextField } from "@/components/Field";
import { ErrorNotice, Loading, Notice } from "@/components/Notice";
import { useTitle } from "@/components/useTitle";
import { EntryFrame } from "./EntryFrame";
import { safeNext } from "./safeNext";

const route = getRouteApi("/sign-in");

export function SignInPage() {
  useTitle("Sign in");
  const { token, next } = route.useSearch();
  const router = useRouter();
  const client = useQueryClient();
  const enter = (session: Session) => {
    client.clear();
    client.setQueryData(sessionQuery.queryKey, session);
    router.history.push(safeNext(next));
  };
  return (
    <EntryFrame title="Sign in">
      {token === undefined ? <PasswordForm onDone={enter} /> : <LinkSignIn token={token} onDone={enter} />}
    </EntryFrame>
  );
}

function PasswordForm({ onDone }: { onDone: (session: Session) => void }) {
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const setup = useQuery(setupQuery);
  const signIn = useMutation({
    mutationFn: () => api.post<Session>("/api/session", { username, password }, { anonymous: true }),
    onSuccess: onDone,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate();
  };
  return (
    <form onSubmit={submit} className="space-y-4">
      {setup.data?.needed === true && (
        <Notice tone="info" title="No users yet">
          Open the one-time link in the server&apos;s data directory, or make a new one with{" "}
          <code>admiral users setup-link</code>.
        </Notice>
      )}
      {signIn.isError && <ErrorNotice title="Not signed in" error={signIn.error} />}
      <TextField
        label="Username"
        name="username"
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        required
        autoFocus
        value={username}
        onChange={(event) => {
          setUsername(event.target.value);
        }}
      />
      <TextField
        label="Password"
        name="password"
        type="password"
        autoComplete="current-password"
        required
        value={password}
        onChange={(event) => {
          setPassword(event.target.value);
        }}
      />
      <Button type="submit" variant="primary" className="w-full" busy={signIn.isPending}>
        Sign in
      </Button>
    </form>
  );
}

// React runs effects twice in development; a one-time link must be used once.
const usedTokens = new Map<string, Promise<Session>>();

function redeemOnce(token: string): Promise<Session> {
  let answer = usedTokens.get(token);
  if (answer === undefined) {
    answer = api.post<Session>("/api/session/link", { token }, { anonymous: true });
    usedTokens.set(token, answer);
  }
  return answer;
}

function LinkSignIn({ token, onDone }: { token: string; onDone: (session: Session) => void }) {
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    let shown = true;
    redeemOnce(token).then(
      (session) => {
        if (shown) onDone(session);
      },
      (failure: unknown) => {
        if (shown) setError(failure);
      },
    );
    return () => {
      shown = false;
    };
    // The link is used once, whatever the caller passes on later renders.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [token]);
  if (error === null) return <Loading what="your session" />;
  return (
    <div className="space-y-4">
      <ErrorNotice title="This sign-in link did not work" error={error} />
      <p className="text-soft text-sm">
        A link works once and for a limited time. Ask for a new one, or{" "}
        <a href="/sign-in" className="link">
          sign in with a password
        </a>
        .
      </p>
    </div>
  );
}
