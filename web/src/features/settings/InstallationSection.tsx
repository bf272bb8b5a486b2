import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { api, ApiError } from "@/api/client";
import { settingsQuery } from "@/api/queries";
import type { Settings } from "@/api/types";
import { Button } from "@/components/Button";
import { TextField } from "@/components/Field";
import { ErrorNotice, Loading, Notice } from "@/components/Notice";
import { plural } from "@/format/numbers";
import { changesOf, formOf } from "./settingsForm";

/** What holds for the whole installation: everybody sees it, administrators change it. */
export function InstallationSection({ mayChange }: { mayChange: boolean }) {
  const settings = useQuery(settingsQuery);
  return (
    <section aria-label="Installation">
      <div className="mb-2">
        <h2 className="text-base font-semibold">Installation</h2>
        <p className="text-soft text-sm">What holds for everybody, on all workers.</p>
      </div>
      <div className="panel p-4">
        {settings.isPending && <Loading what="the settings" />}
        {settings.isError && (
          <ErrorNotice
            title="The settings could not be read"
            error={settings.error}
            onRetry={() => void settings.refetch()}
          />
        )}
        {settings.data &&
          (mayChange ? (
            <SettingsFields settings={settings.data} />
          ) : (
            <SettingsList settings={settings.data} />
          ))}
      </div>
    </section>
  );
}

function SettingsList({ settings }: { settings: Settings }) {
  return (
    <dl className="grid gap-x-6 gap-y-2 text-sm sm:grid-cols-[max-content_1fr]">
      <dt className="text-soft">Events and output are kept</dt>
      <dd>{settings.retention_days === 0 ? "for ever" : plural(settings.retention_days, "day")}</dd>
      <dt className="text-soft">Most runs at a time</dt>
      <dd>{settings.max_running_runs ?? "as many as the workers take"}</dd>
    </dl>
  );
}

function SettingsFields({ settings }: { settings: Settings }) {
  const client = useQueryClient();
  // Null: as the server has it, also when somebody else changes it.
  const [edited, setEdited] = useState<ReturnType<typeof formOf> | null>(null);
  const form = edited ?? formOf(settings);
  const save = useMutation({
    mutationFn: () => api.patch<Settings>("/api/settings", changesOf(form, settings)),
    onSuccess: (saved) => {
      client.setQueryData(settingsQuery.queryKey, saved);
      setEdited(null);
    },
  });
  const refused = save.error instanceof ApiError ? save.error : null;
  const changed = Object.keys(changesOf(form, settings)).length > 0;
  const edit = (change: Partial<typeof form>) => {
    save.reset();
    setEdited({ ...form, ...change });
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form onSubmit={submit} className="max-w-md space-y-4">
      {save.isError && <ErrorNotice title="Not saved" error={save.error} />}
      {save.isSuccess && !changed && <Notice tone="success" title="Saved" />}
      <TextField
        label="Keep events and output, in days"
        hint="Older events and output are removed for good; deployments and the results of their hosts stay. 0 keeps everything."
        inputMode="numeric"
        autoComplete="off"
        error={refused?.field("retention_days")}
        value={form.retentionDays}
        onChange={(event) => {
          edit({ retentionDays: event.target.value });
        }}
      />
      <TextField
        label="Most runs at a time"
        optional
        hint="Of all workers together. Empty: as many as the workers take."
        inputMode="numeric"
        autoComplete="off"
        error={refused?.field("max_running_runs")}
        value={form.maxRunningRuns}
        onChange={(event) => {
          edit({ maxRunningRuns: event.target.value });
        }}
      />
      <div className="flex gap-2">
        <Button type="submit" variant="primary" busy={save.isPending} disabled={!changed}>
          Save
        </Button>
        {changed && (
          <Button
            onClick={() => {
              save.reset();
              setEdited(null);
            }}
          >
            Undo
          </Button>
        )}
      </div>
    </form>
  );
}
