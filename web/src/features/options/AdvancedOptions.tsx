import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { isWithin, messageAbout } from "@/api/client";
import { libraryQuery } from "@/api/playbookQueries";
import type { Accelerator } from "@/api/types";
import { sessionQuery } from "@/api/queries";
import { CheckboxField, SelectField, TextAreaField, TextField } from "@/components/Field";
import type { OptionFieldsProps } from "./OptionFields";
import { formOfOptions } from "./options";

const FIELDS = [
  "options.slices",
  "options.accelerator",
  "options.allow_overlap",
  "options.priority",
  "options.controller",
  "options.writable_paths",
];
const DEFAULTS = formOfOptions({});
const ACCELERATORS: readonly Accelerator[] = ["none", "mitogen"];

/** How a deployment is carried out, rather than what it does. Shut until somebody needs it. */
export function AdvancedOptions({ form, change, errors, playbook }: OptionFieldsProps) {
  const library = useQuery({ ...libraryQuery, refetchInterval: false });
  const differs =
    form.slices !== DEFAULTS.slices ||
    form.accelerator !== DEFAULTS.accelerator ||
    form.allowOverlap ||
    form.priority !== DEFAULTS.priority ||
    form.controllerWritable ||
    form.writablePaths !== "";
  const session = useQuery(sessionQuery);
  const isAdmin = session.data?.user.role === "admin";
  const wrong = errors.some((error) => FIELDS.some((field) => isWithin(error.field, field)));
  const [opened, setOpened] = useState(differs);
  const ofPlaybook = library.data?.data.find((known) => known.id === playbook)?.outline.accelerator ?? "none";
  return (
    <details
      className="border-line rounded-md border px-4 py-3"
      open={opened || wrong}
      onToggle={(event) => {
        setOpened(event.currentTarget.open);
      }}
    >
      <summary className="cursor-pointer font-semibold">Advanced options</summary>
      <div className="mt-4 grid gap-4 sm:grid-cols-2 lg:grid-cols-3">
        <TextField
          label="Slices"
          hint="Shares the servers out to this many runs side by side, 1 to 100. run_once, serial and plays on localhost count for each slice, and groups and hostvars hold the slice's servers alone."
          inputMode="numeric"
          error={messageAbout(errors, "options.slices")}
          value={form.slices}
          onChange={(event) => {
            change({ slices: event.target.value });
          }}
        />
        <SelectField
          label="Accelerator"
          hint="Mitogen keeps a Python on each server for the whole run. It needs Python there also for raw, and becomes other users with sudo, su and doas only."
          error={messageAbout(errors, "options.accelerator")}
          value={form.accelerator}
          onChange={(event) => {
            change({ accelerator: ACCELERATORS.find((known) => known === event.target.value) ?? "" });
          }}
        >
          <option value="">As the playbook says ({ofPlaybook})</option>
          {ACCELERATORS.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </SelectField>
        <TextField
          label="Priority"
          hint="Waiting deployments of a higher priority begin first, -100 to 100."
          error={messageAbout(errors, "options.priority")}
          value={form.priority}
          onChange={(event) => {
            change({ priority: event.target.value });
          }}
        />
        <CheckboxField
          label="Allow overlap"
          hint="Begins even while another deployment is at work on the same servers."
          checked={form.allowOverlap}
          onChange={(allowOverlap) => {
            change({ allowOverlap });
          }}
        />
        {(isAdmin || form.controllerWritable || form.writablePaths !== "") && (
          <>
            <TextAreaField
              label="Writable folders of the controller"
              hint="The run may write to these folders of the machine that it runs on, one path per line. The rest of that machine is read-only. Only for admins."
              rows={2}
              spellCheck={false}
              error={messageAbout(errors, "options.writable_paths")}
              value={form.writablePaths}
              onChange={(event) => {
                change({ writablePaths: event.target.value });
              }}
            />
            <CheckboxField
              label="Writable controller"
              hint="The run acts on the controller as Admiral's own account. Nothing keeps a hostile playbook from Admiral's keys. Only for admins."
              checked={form.controllerWritable}
              onChange={(controllerWritable) => {
                change({ controllerWritable });
              }}
            />
          </>
        )}
      </div>
    </details>
  );
}
