import type { Settings } from "@/api/types";

/** The fields as typed. */
export interface SettingsForm {
  retentionDays: string;
  maxRunningRuns: string;
}

export function formOf(settings: Settings): SettingsForm {
  return {
    retentionDays: String(settings.retention_days),
    maxRunningRuns: settings.max_running_runs === null ? "" : String(settings.max_running_runs),
  };
}

/** What the API is to change; only what differs from `settings`, so that nobody else's change is undone. */
export function changesOf(form: SettingsForm, settings: Settings): Record<string, unknown> {
  const changes: Record<string, unknown> = {};
  const retentionDays = typedNumber(form.retentionDays);
  if (retentionDays !== settings.retention_days) changes.retention_days = retentionDays;
  const runs = form.maxRunningRuns.trim();
  const maxRunningRuns = runs === "" ? null : typedNumber(runs);
  if (maxRunningRuns !== settings.max_running_runs) changes.max_running_runs = maxRunningRuns;
  return changes;
}

/** What is no number goes to the API as it is, which says what it must be. */
function typedNumber(text: string): number | string {
  const trimmed = text.trim();
  return /^\d{1,9}$/.test(trimmed) ? Number(trimmed) : trimmed;
}
