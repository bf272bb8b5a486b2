import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { libraryQuery } from "@/api/playbookQueries";
import type { Playbook } from "@/api/types";
import { SelectField } from "@/components/Field";
import { ErrorNotice } from "@/components/Notice";
import { formOfOptions } from "@/features/options/options";
import { ORIGINS } from "@/features/playbooks/library";
import { formatRelative } from "@/format/time";
import type { StepProps } from "./LaunchWizard";
import { PlaybookDialog } from "./PlaybookDialog";

/** Which playbook, in which version, with whose variables. */
export function PlaybookChoice({
  form,
  change,
  errorOf,
  context,
}: StepProps & { errorOf: (field: string) => string | undefined }) {
  const { playbook, versions, environments, presets } = context;
  const current = versions.find((version) => version.id === playbook?.version);
  const older = versions.filter((version) => version.id !== playbook?.version);
  return (
    <>
      <PlaybookSelect
        value={form.playbook}
        versionId={form.versionId}
        versionNumber={versions.find((known) => known.id === form.versionId)?.number}
        error={errorOf("playbook")}
        onChange={(chosen) => {
          change({ playbook: chosen, versionId: "", presetId: "", files: {} });
        }}
      />
      <SelectField
        label="Version"
        error={errorOf("version_id")}
        hint={versions.find((version) => version.id === form.versionId)?.comment}
        disabled={playbook === undefined}
        value={form.versionId}
        onChange={(event) => {
          change({ versionId: event.target.value });
        }}
      >
        <option value="">{current === undefined ? "Today's" : `Today's (version ${current.number})`}</option>
        {older.map((version) => (
          <option key={version.id} value={version.id}>
            version {version.number} by {version.author_name},{" "}
            {formatRelative(version.created_at, Date.now()) ?? version.created_at.slice(0, 10)}
          </option>
        ))}
      </SelectField>
      <SelectField
        label="Environment"
        optional
        error={errorOf("environment_id")}
        hint={
          environments.find((known) => known.id === form.environmentId)?.description ??
          (environments.length === 0
            ? "None yet; they are kept in the settings."
            : "Variables that hold in it.")
        }
        value={form.environmentId}
        onChange={(event) => {
          change({ environmentId: event.target.value });
        }}
      >
        <option value="">None</option>
        {environments.map((known) => (
          <option key={known.id} value={known.id}>
            {known.name}
          </option>
        ))}
      </SelectField>
      <SelectField
        label="Preset"
        optional
        error={errorOf("preset_id")}
        hint={
          presets.find((known) => known.id === form.presetId)?.description ??
          (presets.length === 0
            ? "None yet; the review can save one."
            : "Variables and options kept for this playbook.")
        }
        value={form.presetId}
        onChange={(event) => {
          const chosen = presets.find((known) => known.id === event.target.value);
          change({
            ...(chosen !== undefined && formOfOptions(chosen.options)),
            presetId: event.target.value,
          });
        }}
      >
        <option value="">None</option>
        {presets.map((known) => (
          <option key={known.id} value={known.id}>
            {known.name}
          </option>
        ))}
      </SelectField>
    </>
  );
}

function PlaybookSelect({
  value,
  versionId,
  versionNumber,
  error,
  onChange,
}: {
  value: string;
  /** Empty: today's. */
  versionId: string;
  versionNumber: number | undefined;
  error: string | undefined;
  onChange: (id: string) => void;
}) {
  const playbooks = useQuery({ ...libraryQuery, refetchInterval: false });
  const [reading, setReading] = useState(false);
  if (playbooks.isLoadingError)
    return (
      <ErrorNotice
        title="The playbooks could not be read"
        error={playbooks.error}
        onRetry={() => void playbooks.refetch()}
      />
    );
  const all = playbooks.data?.data ?? [];
  const chosen = all.find((playbook) => playbook.id === value);
  const shown = versionId === "" ? (chosen?.version ?? null) : versionId;
  const unknown = value !== "" && playbooks.isSuccess && chosen === undefined;
  const refusal =
    chosen !== undefined && versionId === ""
      ? (chosen.outline.error ??
        (chosen.missing_since === null
          ? undefined
          : "It is gone from its package. Choose an earlier version."))
      : undefined;
  const option = (playbook: Playbook) => (
    <option key={playbook.id} value={playbook.id}>
      {playbook.outline.name === playbook.path
        ? playbook.path
        : `${playbook.outline.name} (${playbook.path})`}
    </option>
  );
  return (
    <div>
      <SelectField
        label="Playbook"
        autoFocus
        error={
          error ??
          refusal ??
          (unknown ? `${value} is no longer in the library. Choose another playbook.` : undefined)
        }
        hint={chosen?.outline.description ?? (playbooks.isPending ? "Loading playbooks…" : "What to run.")}
        value={value}
        onChange={(event) => {
          onChange(event.target.value);
        }}
      >
        <option value="">Choose a playbook</option>
        {unknown && <option value={value}>{value}</option>}
        {ORIGINS.map(({ origin, name }) => {
          const of = all.filter(
            (playbook) =>
              playbook.origin === origin && (playbook.missing_since === null || playbook.id === value),
          );
          return (
            of.length > 0 && (
              <optgroup key={origin} label={name}>
                {of.map(option)}
              </optgroup>
            )
          );
        })}
      </SelectField>
      {chosen !== undefined && (
        <p className="mt-1 flex gap-3 text-xs">
          {shown !== null && (
            <button
              type="button"
              className="link"
              onClick={() => {
                setReading(true);
              }}
            >
              View playbook
            </button>
          )}
          <Link
            to="/playbooks/$"
            params={{ _splat: chosen.id }}
            search={{ ...(versionNumber !== undefined && { version: versionNumber }) }}
            target="_blank"
            rel="noopener"
            className="link"
          >
            Open in the library<span className="sr-only"> in a new tab</span>
          </Link>
        </p>
      )}
      {reading && chosen !== undefined && shown !== null && (
        <PlaybookDialog
          playbook={chosen}
          version={shown}
          onClose={() => {
            setReading(false);
          }}
        />
      )}
    </div>
  );
}
