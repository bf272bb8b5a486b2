import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { messageAbout } from "@/api/client";
import { playbooksQuery } from "@/api/queries";
import type { Playbook } from "@/api/types";
import { CheckboxField, SelectField, TextAreaField, TextField } from "@/components/Field";
import { ErrorNotice } from "@/components/Notice";
import { AdvancedOptions } from "./AdvancedOptions";
import type { LaunchForm } from "./launchForm";
import type { StepProps } from "./LaunchWizard";
import { PlaybookDialog } from "./PlaybookDialog";
import { VariablesEditor } from "./VariablesEditor";

const VERBOSITY = ["0, normal", "1, -v", "2, -vv", "3, -vvv", "4, -vvvv with connections"];

type TextKey = "name" | "description" | "forks" | "timeout" | "limit" | "tags" | "skipTags" | "startAtTask";

export function ConfigurationStep({ form, change, errors }: StepProps) {
  const errorOf = (field: string) => messageAbout(errors, field);
  const input = (key: TextKey, field: string) => ({
    error: errorOf(field),
    value: form[key],
    onChange: (event: { target: { value: string } }) => {
      change({ [key]: event.target.value } as Pick<LaunchForm, TextKey>);
    },
  });
  const toggle = (key: "check" | "diff" | "become") => ({
    checked: form[key],
    onChange: (on: boolean) => {
      change({ [key]: on });
    },
  });
  return (
    <div className="space-y-7">
      <section className="grid gap-4 sm:grid-cols-2">
        <PlaybookSelect
          value={form.playbook}
          error={errorOf("playbook")}
          onChange={(playbook) => {
            change({ playbook });
          }}
        />
        <TextField label="Name" optional hint="The playbook's name when empty." {...input("name", "name")} />
        <TextAreaField
          label="Description"
          optional
          rows={2}
          className="sm:col-span-2"
          {...input("description", "description")}
        />
      </section>
      <VariablesEditor
        rows={form.variables}
        errors={errors}
        onChange={(variables) => {
          change({ variables });
        }}
      />
      <section aria-label="Options">
        <h2 className="mb-3 font-semibold">Options</h2>
        <div className="mb-4 grid gap-3 sm:grid-cols-3">
          <CheckboxField
            label="Check mode"
            hint="Says what would change; changes nothing."
            {...toggle("check")}
          />
          <CheckboxField label="Show diffs" hint="Records what changes in files." {...toggle("diff")} />
          <CheckboxField
            label="Become root"
            hint="Runs tasks by privilege escalation."
            {...toggle("become")}
          />
        </div>
        <div className="grid gap-4 sm:grid-cols-2 lg:grid-cols-3">
          <TextField
            label="Forks"
            hint="Hosts worked on at the same time, 1 to 500."
            inputMode="numeric"
            {...input("forks", "options.forks")}
          />
          <TextField
            label="Timeout in seconds"
            hint="After this the run is ended."
            inputMode="numeric"
            {...input("timeout", "options.timeout_seconds")}
          />
          <SelectField
            label="Verbosity"
            hint="How much the log says."
            error={errorOf("options.verbosity")}
            value={form.verbosity}
            onChange={(event) => {
              change({ verbosity: event.target.value });
            }}
          >
            {VERBOSITY.map((name, level) => (
              <option key={name} value={level}>
                {name}
              </option>
            ))}
          </SelectField>
          <TextField
            label="Limit"
            optional
            hint="A host pattern that narrows the targets."
            spellCheck={false}
            {...input("limit", "options.limit")}
          />
          <TextField
            label="Only tasks tagged"
            optional
            hint="Separated by commas."
            spellCheck={false}
            {...input("tags", "options.tags")}
          />
          <TextField
            label="Skip tasks tagged"
            optional
            hint="Separated by commas."
            spellCheck={false}
            {...input("skipTags", "options.skip_tags")}
          />
          <TextField
            label="Start at task"
            optional
            hint="The task's whole name."
            {...input("startAtTask", "options.start_at_task")}
          />
        </div>
      </section>
      <AdvancedOptions form={form} change={change} errors={errors} />
    </div>
  );
}

function PlaybookSelect({
  value,
  error,
  onChange,
}: {
  value: string;
  error: string | undefined;
  onChange: (id: string) => void;
}) {
  const playbooks = useQuery(playbooksQuery);
  const [reading, setReading] = useState(false);
  if (playbooks.isError)
    return (
      <ErrorNotice
        title="The playbooks could not be read"
        error={playbooks.error}
        onRetry={() => void playbooks.refetch()}
      />
    );
  const all = playbooks.data?.data ?? [];
  const chosen = all.find((playbook) => playbook.id === value);
  const missing = value !== "" && playbooks.isSuccess && chosen === undefined;
  const group = (origin: Playbook["origin"]) =>
    all
      .filter((playbook) => playbook.origin === origin)
      .map((playbook) => (
        <option key={playbook.id} value={playbook.id}>
          {playbook.outline.name === playbook.path
            ? playbook.path
            : `${playbook.outline.name} (${playbook.path})`}
        </option>
      ));
  return (
    <div>
      <SelectField
        label="Playbook"
        autoFocus
        error={
          error ??
          chosen?.outline.error ??
          (missing ? `${value} is no longer in the library. Choose another playbook.` : undefined)
        }
        hint={chosen?.outline.description ?? (playbooks.isPending ? "Loading playbooks…" : "What to run.")}
        value={value}
        onChange={(event) => {
          onChange(event.target.value);
        }}
      >
        <option value="">Choose a playbook</option>
        {missing && <option value={value}>{value}</option>}
        <optgroup label="Built-in">{group("built_in")}</optgroup>
        <optgroup label="Custom">{group("custom")}</optgroup>
      </SelectField>
      {chosen !== undefined && (
        <button
          type="button"
          className="link mt-1 text-xs"
          onClick={() => {
            setReading(true);
          }}
        >
          View playbook
        </button>
      )}
      {reading && chosen !== undefined && (
        <PlaybookDialog
          id={chosen.id}
          onClose={() => {
            setReading(false);
          }}
        />
      )}
    </div>
  );
}
