import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { api, ApiError } from "@/api/client";
import type { PasswordChanged } from "@/api/types";
import { Button } from "@/components/Button";
import { CheckboxField, TextField } from "@/components/Field";
import { ErrorNotice, Notice } from "@/components/Notice";
import { plural } from "@/format/numbers";

const PASSWORD_MIN = 12;

/** Changes your password, or sets the first one. */
export function PasswordSection({ username, hasPassword }: { username: string; hasPassword: boolean }) {
  const client = useQueryClient();
  const [current, setCurrent] = useState("");
  const [password, setPassword] = useState("");
  const [shown, setShown] = useState(false);
  const [revokeTokens, setRevokeTokens] = useState(true);
  const [complaint, setComplaint] = useState<string>();
  const change = useMutation({
    mutationFn: () =>
      api.post<PasswordChanged>("/api/account/password", {
        ...(hasPassword && { current_password: current }),
        new_password: password,
        keep_tokens: !revokeTokens,
      }),
    onSuccess: async () => {
      setCurrent("");
      setPassword("");
      setShown(false);
      await Promise.all(
        ["session", "sessions", "tokens"].map((key) => client.invalidateQueries({ queryKey: [key] })),
      );
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if ([...password].length < PASSWORD_MIN) {
      setComplaint(`Use at least ${PASSWORD_MIN} characters.`);
      return;
    }
    setComplaint(undefined);
    change.mutate();
  };
  const refused = change.error instanceof ApiError ? change.error : null;
  return (
    <section aria-label="Password">
      <div className="mb-2 max-w-prose">
        <h2 className="text-base font-semibold">Password</h2>
        <p className="text-soft text-sm">
          {hasPassword
            ? "Changing your password signs you out everywhere else, and unused sign-in links stop working."
            : "You have no password yet and sign in by links. You can choose one within 15 minutes of signing in."}
        </p>
      </div>
      <form onSubmit={submit} className="panel max-w-xl space-y-4 p-4" noValidate>
        {change.isSuccess && (
          <Notice tone="success" title="Your password was changed">
            {plural(change.data.sessions_ended, "other session")} ended,{" "}
            {plural(change.data.tokens_revoked, "API token")} revoked.
          </Notice>
        )}
        {change.isError && <ErrorNotice title="Not changed" error={change.error} />}
        {/* Password managers look for the name beside the password. */}
        <input type="text" autoComplete="username" value={username} readOnly hidden />
        {hasPassword && (
          <TextField
            label="Current password"
            type={shown ? "text" : "password"}
            autoComplete="current-password"
            required
            error={refused?.field("current_password")}
            value={current}
            onChange={(event) => {
              setCurrent(event.target.value);
            }}
          />
        )}
        <TextField
          label="New password"
          type={shown ? "text" : "password"}
          autoComplete="new-password"
          required
          hint={`At least ${PASSWORD_MIN} characters. A few random words are good.`}
          error={complaint ?? refused?.field("new_password")}
          value={password}
          onChange={(event) => {
            setPassword(event.target.value);
          }}
        />
        <CheckboxField label="Show what I type" checked={shown} onChange={setShown} />
        <CheckboxField
          label="Revoke my API tokens too"
          hint="Leave this checked if somebody else may have seen your password."
          checked={revokeTokens}
          onChange={setRevokeTokens}
        />
        <Button type="submit" variant="primary" busy={change.isPending}>
          {hasPassword ? "Change password" : "Set password"}
        </Button>
      </form>
    </section>
  );
}
